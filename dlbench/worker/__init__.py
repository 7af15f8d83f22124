"""One job, alone in its process; and the warm process that workers are forked from."""
