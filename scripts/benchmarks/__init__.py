"""What ``scripts/bench`` measures, side by side with the floor and the peers, in one run.

Figures are ratios wherever they can be: a machine that is busy or slow is so for both sides.
They are told beside their targets and never asserted; what is asserted is that the work that
was measured was really done.
"""
