"""Arrays in, arrays out: likelihoods, expectations, posteriors, intervals and measures. Knows no frame and no engine.

Paper letters are kept here: x repeat orders, t_x time of the last of them, T age, all from a customer's first order.
"""
