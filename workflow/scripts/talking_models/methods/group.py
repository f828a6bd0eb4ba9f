"""TD among n: a student talks with several teachers, or with others that learn beside it.

The paper leaves it to later work (section 6.1): "between a group of models". Every party has an
encoder and a decoder into one space of messages, so that modules grow with the parties and not with
their pairs. Among one student and one teacher it is `td`, to the last bit.
"""

from functools import cached_property
from itertools import combinations
from typing import Literal

from pydantic import Field

from talking_models.methods.base import Loss, Parts
from talking_models.methods.td import TD, Decoder, Encoder, TDSettings

STUDENT = ""  # the student's id among the parties


class GroupSettings(TDSettings):
    """Hyper-parameters of TD among n."""

    replies: Literal["separate", "mean", "attention"] = Field(
        "separate",
        description="What becomes of several replies. `separate`: each is a conversation, and a "
        "loss, of its own. `mean`: their mean is decoded. `attention`: their mean with weights "
        "that are learnt from the messages.",
    )

    def idle(self, family, others):
        """Of what has no replies, or one, nothing is to be made."""
        found = super().idle(family, others)
        if others < 2:
            found["replies"] = "beside one teacher or peer, who gives one reply"
        elif "noise" in found:
            found["replies"] = found["noise"]
        return found


class Attention(Parts):
    """Weights of replies, softmax of (W_q m_a) . (W_k m_b) / sqrt(width) + log of b's weight."""

    def __init__(self, layers, width):
        self.query, self.key = (layers.linear(width, width, bias=False) for _ in range(2))

    def __call__(self, asked, replies, weights):
        """(..., message) of who asks, those of who answers, and their weights: (..., message)."""
        import torch

        query, given = self.query(asked), torch.stack(replies, -2)  # (..., answerers, message)
        keys = torch.stack([self.key(reply) for reply in replies], -2)
        scores = (keys @ query.unsqueeze(-1)).squeeze(-1) / query.shape[-1] ** 0.5
        scores = scores + torch.tensor(weights).to(scores).log()
        return (scores.softmax(-1).unsqueeze(-1) * given).sum(-2)


class Party(Parts):
    """Who talks: an encoder E and a decoder D; who only answers does not learn."""

    def __init__(self, encoder, decoder, learns):
        self.encoder, self.decoder, self.learns = encoder, decoder, learns


class Heard:
    """A party on a batch: its model, its states, and its first message, computed when read."""

    def __init__(self, party, model, batch):
        self.party, self.model, self.batch = party, model, batch

    @cached_property
    def states(self):
        """{s; e} and y of x: the only place where the model sees x."""
        return self.model(self.batch)

    @cached_property
    def state(self):
        """{s; e}: always the same pair, which `TD.answered` knows by being it."""
        return self.states.low, self.states.high

    @cached_property
    def message(self):
        """m^0."""
        return self.party.encoder(*self.state)


class Group(TD):
    """The loss of TD for each who learns, with each of the others.

    L = sum over who learns a of [L_label(a) + w1 sum over b of s_a(b) sum of L_interact(a, b)]
    + sum over pairs {a, b}, one of which learns, of s_ab [w2 L_SC(a, b) + w3 L_MC(a, b)]

    s_a(b) is b's share of the weights of all but a, the student's weight being 1; s_ab is s_a(b)
    where a alone learns, and the mean of s_a(b) and s_b(a) where both do. So w1, w2 and w3 mean the
    same to each who learns, however many others there are.
    """

    Settings = GroupSettings
    has_peers = True
    among = None

    def build(self, layers, student, teachers):
        """E and D of every party, the order of TD; and what weighs replies, if they are weighed."""
        s = self.settings
        widths = {STUDENT: student, **{id: p.widths for id, p in self.peers.items()}, **teachers}
        encoders = {id: Encoder(layers, each, s) for id, each in widths.items()}
        decoders = {id: Decoder(layers, each, s) for id, each in widths.items()}
        self.parties = {id: Party(encoders[id], decoders[id], id not in teachers) for id in widths}
        self.noise, self.relative = layers.relative_noise(s.noise), s.distance == "relative"
        weighs = s.replies == "attention" and len(widths) > 2
        self.attention = Attention(layers, s.message) if weighs else None

    def loss(self, batch, student, teachers, step):
        """As `TD.loss`, whose order it keeps."""
        s = self.settings
        train_student, train_modules = self.trains(step)
        models = {STUDENT: student, **self.peers, **teachers}
        heard = {id: Heard(self.parties[id], model, batch) for id, model in models.items()}
        learn = {id: each for id, each in heard.items() if each.party.learns}
        parts = {}
        for id, each in learn.items():
            if train_modules if id else train_student:
                label = self.objective.label_loss(each.states.output, batch.target)
                parts[f"label_{id}" if id else "label"] = label
        rounds, w2, w3 = self.in_effect(step)
        if not train_modules or not (rounds or w2 or w3):
            return Loss(parts)

        pairs = self.pairs()
        decoded = {
            (a, b): heard[b].party.decoder(heard[a].message) for a in learn for b in heard if a != b
        }
        if w2 or w3:
            for _, b in pairs:
                _ = heard[b].message  # in the order of TD, as dropout draws in turn
        if w2:
            parts["state_consistency"] = w2 * sum(
                share * self.consistency(heard[a], heard[b], decoded[a, b])
                for (a, b), share in pairs.items()
            )
        if w3:
            parts["message_consistency"] = w3 * sum(
                share * self.message_distance(heard[a].message, heard[b].message)
                for (a, b), share in pairs.items()
            )
        if rounds:
            parts["interact"] = s.w1 * sum(
                self.converse(a, heard, {b: decoded[a, b] for b in heard if b != a}, rounds)
                for a in learn
            )
        return Loss(parts, {"message_std": self.spread(heard[STUDENT].message)})

    def shares(self, asker, ids):
        """s_a(b) of each other party among `ids`, by its id."""
        weights = {id: self.weights.get(id, 1.0) for id in ids if id != asker}
        total = sum(weights.values())
        return {id: weight / total for id, weight in weights.items()}

    def pairs(self):
        """s_ab of each pair, by its ids, of which the first learns."""
        shares = {id: self.shares(id, self.parties) for id, p in self.parties.items() if p.learns}
        found = {}
        for a, b in combinations(self.parties, 2):
            own = [shares[one][other] for one, other in ((a, b), (b, a)) if one in shares]
            found |= {(a, b): sum(own) / len(own)} if own else {}
        return found

    def consistency(self, a, b, decoded):
        """L_SC of a pair, of which a learns."""
        distance_b, loss = self.own_distance if b.party.learns else self.state_distance, 0
        if self.settings.sc_mode in ("cross", "both"):
            loss = loss + distance_b(b.state, decoded)
            loss = loss + self.own_distance(a.state, a.party.decoder(b.message))
        if self.settings.sc_mode in ("self", "both"):
            loss = loss + distance_b(b.state, b.party.decoder(b.message))
            loss = loss + self.own_distance(a.state, a.party.decoder(a.message))
        return loss

    def converse(self, asker, heard, decoded, rounds):
        """Mean over who answers of the sum of L_interact over the rounds."""
        a, shares = heard[asker], self.shares(asker, decoded)
        if self.settings.replies != "separate":
            return self.rounds_of(a, heard, decoded, shares, rounds)
        return sum(
            share * self.rounds_of(a, heard, {id: decoded[id]}, {id: 1.0}, rounds)
            for id, share in shares.items()
        )

    def rounds_of(self, a, heard, decoded, shares, rounds):
        """Algorithm 1, lines 10 to 19, where several may answer at once."""
        state, message, loss = a.state, a.message, 0
        for i in range(rounds):
            replies = []
            for id, own in decoded.items():
                low = self.noise(own.low)  # s'_h
                replies.append(heard[id].party.encoder(low, heard[id].model.upper(low)))
            if len(replies) == 1:
                (reply,) = replies
            elif self.attention:
                reply = self.attention(message, replies, list(shares.values()))
            else:
                reply = sum(shares[id] * m for id, m in zip(decoded, replies, strict=True))
            response = a.party.decoder(reply)
            loss = loss + self.answered(state, response, a.state)
            if i + 1 < rounds:
                state = (response.low, a.model.upper(response.low))
                message = a.party.encoder(*state)
                decoded = {id: heard[id].party.decoder(message) for id in decoded}
        return loss
