"""Learning from few labels: on the features of a network that is trained already.

============  ==========================================================================
`features`    what a network knows about picture files, computed once
`store`       where that is kept between runs
`views`       how a picture is looked at
`head`        logistic regression, its regularization by cross-validation
`network`     a network with such a head
`choose`      which pictures to label next
`alike`       the same, nearly the same, or similar pictures
`suspects`    how probable given labels are
============  ==========================================================================
"""
