"""Starting the processes of a distributed run and ending them together: the parts of scripts/launch.py.

    plan               which processes there are, on which machines, with which environment and command
    launchers          how each launcher (local, ssh, mpi, slurm) starts them
    supervisor         watches them, passes their lines on, ends all when one fails
    agent              stands between the launcher and a process on its machine: sets the environment, and ends the
                       process when the launcher is gone
    parameter_server   the program of ps-lite's scheduler and servers
"""
