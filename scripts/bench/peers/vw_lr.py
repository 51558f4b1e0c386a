"""Vowpal Wabbit: online logistic regression from a file of its own text. The
arguments after the first are its command line's: its wheel has no program
of its own, `python -m vowpalwabbit` does what this does."""

import os
import shlex

import vowpalwabbit

from common import OUT, SETTINGS, TEST, TRAIN, cost, report

model = OUT + ".vw"
args = shlex.split(SETTINGS["args"])
workspace = vowpalwabbit.Workspace(arg_list=["-d", TRAIN, "--loss_function", "logistic", "--quiet", "-f", model, *args])
progressive = workspace.get_sum_loss() / workspace.get_weighted_examples()
workspace.finish()
spent = cost()

vowpalwabbit.Workspace(arg_list=["-d", TEST, "-t", "-i", model, "--link", "logistic", "--quiet", "-p", OUT + ".txt"]).finish()
import numpy as np  # noqa: E402: its import is no part of what training takes

report(spent, np.loadtxt(OUT + ".txt"), progressive=progressive)
os.remove(model)
