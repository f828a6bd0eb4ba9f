#!/usr/bin/env bash
# Ends what start-slurm.sh DIR started: jobs first, then the daemons. It is no error if some of it is
# gone already, but it is one if something is left.
dir=$(realpath "${1:?usage: stop-slurm.sh DIR}")
conf=/etc/slurm/slurm.conf
[ "$(readlink "$conf")" = "$dir/etc/slurm.conf" ] || exit 0  # not ours: nothing was started

timeout 10 scancel --user root >/dev/null 2>&1
for _ in $(seq 50); do
    [ -z "$(timeout 10 squeue -h 2>/dev/null)" ] && break
    sleep 0.2
done

# a zombie has ended, whether or not somebody has noticed
alive() { grep -qs '^State:[[:space:]]*[^Z]' "/proc/$1/status"; }

left=0
for daemon in slurmd slurmctld munged; do
    file=$dir/run/$daemon.pid
    [ -s "$file" ] || continue
    pid=$(<"$file")
    # the number could be another process by now
    grep -qs "^$daemon" "/proc/$pid/comm" || continue
    kill "$pid"
    for _ in $(seq 50); do
        alive "$pid" || break
        sleep 0.2
    done
    if alive "$pid"; then
        kill -9 "$pid"
        echo "$daemon ($pid) had to be killed" >&2
        left=1
    fi
done
rm "$conf"
exit $left
