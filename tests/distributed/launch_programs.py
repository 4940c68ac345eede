"""Programs for the tests of scripts/launch.py: stand-ins of ssh, mpirun and srun, of ps-lite's processes, workers."""

FAKE_SSH = '''#!/bin/bash
# options, host, command; what real ssh does: runs the command through the shell with standard input passed on
while [ "${1#-}" != "$1" ]; do shift 2; done
case "$1" in *gone*) echo "ssh: connect to host $1 port 22: No route to host" >&2; exit 255;; esac
echo "$1" >> "$FAKE_LOG"
exec env -i PATH="$PATH" FAKE_HOST="$1" /bin/sh -c "$2"
'''
FAKE_MPIRUN = '''#!/bin/bash
if [ "$1" = --version ]; then echo "$FAKE_VERSION"; exit 0; fi
printf '%s ' "$@" >> "$FAKE_LOG"
count=$2; shift 2
while [ "${1#-}" != "$1" ]; do shift 2; done
for rank in $(seq 0 $((count - 1))); do
  env "$FAKE_RANK=$rank" OMPI_COMM_WORLD_LOCAL_SIZE=$count MPI_LOCALNRANKS=$count "$@" < /dev/null & pids="$pids $!"
done
trap 'kill $pids; wait; exit 143' TERM
for pid in $pids; do
  wait -n || { status=$?; kill $pids 2> /dev/null; wait; exit $status; }
done
'''
FAKE_SRUN = '''#!/bin/bash
printf '%s ' "$@" >> "$FAKE_LOG"
count=${1#--ntasks=}
while [ "${1#-}" != "$1" ]; do shift; done
for rank in $(seq 0 $((count - 1))); do SLURM_PROCID=$rank "$@" < /dev/null & pids="$pids $!"; done
trap 'kill $pids; wait; exit 143' TERM
for pid in $pids; do
  wait -n || { status=$?; kill $pids 2> /dev/null; wait; exit $status; }
done
'''
# Serves until all workers have ended, as ps-lite's do: each leaves a file.
FAKE_SERVER = '''
import os, time
print('serving', flush=True)
while len([name for name in os.listdir(os.environ['PS_DONE']) if name.startswith('done')]) < int(
        os.environ['DMLC_NUM_WORKER']):
    time.sleep(0.02)
'''
WORKER = '''
import os, sys, time
folder = os.environ['PS_DONE']
index = os.environ['DMLC_TASK_ID']
for name in ('DMLC_ROLE', 'DMLC_PS_ROOT_URI', 'DMLC_PS_ROOT_PORT', 'DMLC_NUM_WORKER', 'DMLC_NUM_SERVER',
             'DMLC_NODE_HOST', 'OMP_NUM_THREADS', 'PS_NOTE', 'FAKE_HOST'):
    print('%s=%s' % (name, os.environ.get(name)), flush=True)
print('arguments %r in %s' % (sys.argv[1:], os.getcwd()), flush=True)
open(os.path.join(folder, 'done' + index), 'w').close()
'''
# Says its number, then waits for a signal; the one that is told to, fails.
WAITING = '''
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
print('numbers %d %d' % (os.getpid(), child.pid), flush=True)
if os.environ['DMLC_TASK_ID'] == '1':
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.02)
    print('the last line', flush=True)
    sys.exit(7)
time.sleep(600)
'''
# Knows --shard and --merge; fails where it is told to.
SHARD = '''
import sys, os
print('got %s' % sys.argv[1:])
if sys.argv[1:3] == ['--shard', os.environ.get('PS_BROKEN')]:
    print('something broke')
    sys.exit(3)
if sys.argv[1] == '--shard':
    open('part' + sys.argv[2].replace('/', '_'), 'w').close()
else:
    print('merged %s' % sorted(name for name in os.listdir('.') if name.startswith('part')))
'''
