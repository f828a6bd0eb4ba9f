"""Figure: how alike the states of student and teacher are on images; asked for by name."""

from talking_models.report.figures.cka import CKA


class CKAImages(CKA):
    """As `cka`, with a mark for each data set."""

    family = "images"
    title = "Likeness of student and teacher states on images"
    caption = """\
Linear CKA (Kornblith et al., 2019) between the student's lower and higher states and its teacher's,
mean over tokens, on the first 2,048 evaluation images of each data set: 1 for states that are the
same up to rotation and scale. Marks are data sets (mean over seeds), the line their mean. The
student without distillation, held beside the first row's teacher that it never saw, says how alike
two models are that start from the same weights and learn the same classes."""
