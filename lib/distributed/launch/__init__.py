"""Starting the processes of a distributed run and ending them together: what scripts/launch.py does.

plan.py says which processes there are and with which environment, starters.py how each launcher (local, ssh, mpi,
slurm) starts them, hosts.py where, supervise.py watches them. On every machine agent.py stands between the launcher
and the process: it sets the environment, and ends the process when the launcher is gone. node.py is the program of
ps-lite's scheduler and servers.
"""
