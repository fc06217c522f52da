"""The rehearsal: the real loop, plan, switch and client against the simulated gateway, in virtual time and with faults."""
