"""TD: teacher and student talk (Zhao et al., 2023, Algorithm 1; docs/method.md).

Subscripts: g is the student, h the teacher. A state is the pair {s; e} of lower and higher state.
"""

from functools import cached_property
from typing import Literal

from pydantic import Field, model_validator

from talking_models.methods.base import Loss, Method, MethodSettings, Parts, tuned


class TDSettings(MethodSettings):
    """Hyper-parameters of Talking Models distillation."""

    rounds: int = Field(
        1,
        ge=0,
        le=3,
        description="Rounds n of interactive communication; 0 is the paper's "
        '"No Interactions": the consistency losses alone.',
    )
    w1: float = tuned(0.03, "Weight of L_interact, every round.", low=0.003, high=3)
    w2: float = tuned(0.03, "Weight of the state consistency L_SC.", low=0.003, high=3)
    w3: float = tuned(0.03, "Weight of the message consistency L_MC.", low=0.003, high=3)
    distance: Literal["relative", "plain"] = Field(
        "relative",
        description="Of states and messages. `relative`: mean squared error over the target's "
        "variance, of messages with mean 0 and variance 1. `plain`: mean squared error, which a "
        "student can lower by shrinking its states (the paper's letter).",
    )
    sc_mode: Literal["cross", "self", "both"] = Field(
        "cross",
        description="L_SC decodes the other's message (`cross`), one's own (`self`), or `both`.",
    )
    consistency_until_step: int | None = Field(
        None, ge=0, description="Step after which L_SC and L_MC are off; null: never."
    )
    noise: float = Field(
        0.0,
        ge=0,
        description="Standard deviation of Gaussian noise on the decoded teacher state s'_h, "
        "relative to the state's own.",
    )
    message: int = Field(128, ge=1, description="Width m_d of a message.")
    hidden: int = Field(256, ge=1, description="Hidden width of encoders and decoders.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout in encoders and decoders.")
    stop_gradient: Literal["none", "response", "state"] = Field(
        "state",
        description="Cut the gradient of L_interact and L_SC at the student's `state` that a "
        "decoder's response is compared with; or of L_interact at the `response`.",
    )
    target: Literal["previous", "original"] = Field(
        "previous",
        description="What a round's response is compared with: the state that asked (`previous`, "
        "Algorithm 1) or the student's `original` state.",
    )
    student_steps: int = Field(
        0, ge=0, description="First steps with the student alone (separate training, Table 8)."
    )
    module_steps: int = Field(
        0, ge=0, description="Steps after those with encoders and decoders alone."
    )

    @model_validator(mode="after")
    def _modules_have_a_loss(self):
        talks, until = self.w1 > 0 and self.rounds > 0, self.consistency_until_step
        lasts = until is None or until >= self.student_steps + self.module_steps
        consistent = lasts and (self.w2 > 0 or self.w3 > 0)
        if self.module_steps > 0 and not (talks or consistent):
            raise ValueError("module_steps needs a loss for the modules to learn from")
        return self

    def contradiction(self, training, family):
        """Separate training that leaves no step for all of it together."""
        before = self.student_steps + self.module_steps
        if before and before >= training["steps"]:
            return (
                f"student_steps {self.student_steps} and module_steps {self.module_steps} leave "
                f"nothing of steps {training['steps']} in which student and modules learn together"
            )
        return None

    def idle(self, family, others):
        """Settings of a round, or of a loss, that there is not."""
        found = super().idle(family, others)
        if self.rounds < 2:
            found["target"] = f"beside rounds {self.rounds}: the first asks with the original state"
        if not self.rounds:
            found |= dict.fromkeys(("w1", "noise"), "beside rounds 0")
        if not self.w1:
            found |= dict.fromkeys(("rounds", "noise", "target"), f"beside w1 {self.w1}")
        if not self.w2:
            found["sc_mode"] = f"beside w2 {self.w2}"
            if not self.w3:
                found["consistency_until_step"] = f"beside w2 {self.w2} and w3 {self.w3}"
            if not (self.rounds and self.w1):
                why = f"beside w2 {self.w2}, without rounds that count"
                found["stop_gradient"] = why
                if not self.w3:
                    of_modules = ("distance", "message", "hidden", "dropout", "student_steps")
                    found |= dict.fromkeys(of_modules, f"{why}, and w3 {self.w3}")
        until = self.consistency_until_step
        if until is not None and until <= self.student_steps:
            why = f"beside consistency_until_step {until}: no module learns before"
            found |= dict.fromkeys(("w2", "w3", "sc_mode"), why)
        return found


def trunk(layers, inputs, settings):
    """Drop(ReLU(W LN(x) + b)), what encoders and decoders begin with (paper section 6.2)."""
    return layers.sequential(
        layers.layer_norm(),
        layers.linear(inputs, settings.hidden),
        layers.relu_dropout(settings.dropout),
    )


class Encoder(Parts):
    """E(s, e) = W2 Drop(ReLU(W1 LN([s; e]) + b1)) + b2, a message from both states of one model."""

    def __init__(self, layers, states, settings):
        self.net = trunk(layers, states.low + states.high, settings)
        self.net.append(layers.linear(settings.hidden, settings.message))

    def __call__(self, low, high):
        """(..., low) and (..., high) -> (..., message)."""
        import torch

        return self.net(torch.cat((low, high), -1))


class Decoder(Parts):
    """D(m) = V2 Drop(ReLU(V1 LN(m) + c1)) + c2, both states of one model from a message.

    The two halves of V2 are layers of their own, so that a half that nobody reads costs nothing.
    """

    def __init__(self, layers, states, settings):
        self.trunk = trunk(layers, settings.message, settings)
        self.to_low = layers.linear(settings.hidden, states.low)
        self.to_high = layers.linear(settings.hidden, states.high)

    def __call__(self, message):
        """(..., message) -> {s'; e'}."""
        return Decoded(self, message)


class Decoded:
    """{s'; e'}, (..., low) and (..., high); each is computed when it is first read, and once."""

    def __init__(self, decoder, message):
        self.decoder, self.message = decoder, message

    def __iter__(self):
        yield self.low
        yield self.high

    @cached_property
    def _hidden(self):
        return self.decoder.trunk(self.message)

    @cached_property
    def low(self):
        """s'."""
        return self.decoder.to_low(self._hidden)

    @cached_property
    def high(self):
        """e'."""
        return self.decoder.to_high(self._hidden)


class TD(Method):
    """L = L_label + w2 L_SC + w3 L_MC + w1 sum over rounds of L_interact (Algorithm 1).

    Read with the corrections of docs/method.md: the teacher's reply is encoded by E_h, and n
    rounds are n passes.
    """

    Settings = TDSettings
    among = "group"

    def build(self, layers, student, teachers):
        """E_g, D_g for the student, E_h, D_h for the teacher: same design, separate weights."""
        s, teacher = self.settings, self.only(teachers)
        self.encoder_g, self.encoder_h = (Encoder(layers, m, s) for m in (student, teacher))
        self.decoder_g, self.decoder_h = (Decoder(layers, m, s) for m in (student, teacher))
        self.noise, self.relative = layers.relative_noise(s.noise), s.distance == "relative"

    def trains(self, step):
        """Separate training: the student alone, then the modules alone, then everything."""
        s = self.settings
        if step < s.student_steps:
            return True, False
        return step >= s.student_steps + s.module_steps, True

    def in_effect(self, step):
        """Rounds, w2 and w3 at `step`."""
        s = self.settings
        consistent = s.consistency_until_step is None or step < s.consistency_until_step
        return s.rounds if s.w1 > 0 else 0, *((s.w2, s.w3) if consistent else (0, 0))

    def loss(self, batch, student, teachers, step):
        """One pass of Algorithm 1; the label term is left out while the modules train alone."""
        s, teacher = self.settings, self.only(teachers)
        train_student, train_modules = self.trains(step)
        states = student(batch)  # y_g, {s_g; e_g}
        label = self.objective.label_loss(states.output, batch.target)
        parts = {"label": label} if train_student else {}
        rounds, w2, w3 = self.in_effect(step)
        if not train_modules or not (rounds or w2 or w3):
            return Loss(parts)

        state = (states.low, states.high)
        message = self.encoder_g(*state)  # m_g^0
        decoded = self.decoder_h(message)  # {s'_h; e'_h}, for L_SC and for the first round
        if w2 or w3:
            taught = teacher(batch)  # the only place where the teacher sees x
            teacher_state = (taught.low, taught.high)
            teacher_message = self.encoder_h(*teacher_state)  # m_h^0
        if w2:
            parts["state_consistency"] = w2 * self.state_consistency(
                state, message, decoded, teacher_state, teacher_message
            )
        if w3:
            apart = self.message_distance(message, teacher_message)
            parts["message_consistency"] = w3 * apart
        if rounds:
            parts["interact"] = s.w1 * self.interact(student, teacher, state, decoded, rounds)
        return Loss(parts, {"message_std": self.spread(message)})

    def message_distance(self, one, other):
        """L_MC of two messages, standardised if relative."""
        if self.relative:
            one, other = self.standardised(one), self.standardised(other)
        return self.mean_squared(one, other)

    def state_distance(self, state, response, of_x=None):
        """d_S({s; e}, {s'; e'}) = d(s, s') + d(e, e'), in units of {s; e} of x if relative: what a
        round decoded can be all but constant.
        """
        found = 0
        for target, said, unit in zip(state, response, of_x or state, strict=True):
            apart = self.mean_squared(target, said)
            found = found + (apart / self.variance(unit) if self.relative else apart)
        return found

    def own_distance(self, state, response, of_x=None):
        """d_S of the student's state, detached if so set, and what a decoder says of it. Another's
        variance (`of_x`) is detached: to let it grow would bring nothing nearer.
        """
        if self.settings.stop_gradient == "state":
            state = [x.detach() for x in state]
        return self.state_distance(state, response, of_x and [x.detach() for x in of_x])

    def state_consistency(self, state_g, message_g, decoded_h, state_h, message_h):
        """L_SC: each decoder writes its owner's state from the other's message, or its own."""
        loss = 0
        if self.settings.sc_mode in ("cross", "both"):
            loss = loss + self.state_distance(state_h, decoded_h)
            loss = loss + self.own_distance(state_g, self.decoder_g(message_h))
        if self.settings.sc_mode in ("self", "both"):
            loss = loss + self.state_distance(state_h, self.decoder_h(message_h))
            loss = loss + self.own_distance(state_g, self.decoder_g(message_g))
        return loss

    def answered(self, state, response, original):
        """L_interact of one round: how far a response is from the state that asked, or from the
        `original` one, of x, if so set. In the first round `state` is `original` itself.
        """
        target = original if self.settings.target == "original" else state
        said = response
        if self.settings.stop_gradient == "response":
            said = [x.detach() for x in response]
        return self.own_distance(target, said, None if target is original else original)

    def interact(self, student, teacher, state, decoded, rounds):
        """Sum of L_interact over the rounds (Algorithm 1, lines 10 to 19)."""
        original, loss = state, 0
        for i in range(rounds):
            low_h = self.noise(decoded.low)  # s'_h; e'_h is never read
            high_h = teacher.upper(low_h)  # the teacher interprets
            reply = self.encoder_h(low_h, high_h)  # m_h
            response = self.decoder_g(reply)  # {s'_g; e'_g}
            loss = loss + self.answered(state, response, original)
            if i + 1 < rounds:
                state = (response.low, student.upper(response.low))  # the student interprets
                decoded = self.decoder_h(self.encoder_g(*state))
        return loss
