"""dlbench: which model should I use for this task, on this hardware, and what does it cost?"""

__version__ = "0.1.0"
