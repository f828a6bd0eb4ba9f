#!/usr/bin/env bash
# A Slurm of one node on loopback, for tests: no systemd, no cgroups, no accounting.
#
#   start-slurm.sh DIR      as root
#   stop-slurm.sh DIR       ends what this one started
#
# All is below DIR but for the link /etc/slurm/slurm.conf: SLURM_CONF would do for us, but the Slurm
# plugin of Snakemake clears it for the steps of a job. Where there is such a file, this gives up.
#
# The node pretends to have 8 processors, 64 GB and two GPUs of the type `fake` (device files that
# are clones of /dev/null). Partitions: cpu, gpu and tpu.
set -euo pipefail
dir=$(realpath -m "${1:?usage: start-slurm.sh DIR}")
host=$(hostname -s)

missing=()
for program in munged slurmctld slurmd sbatch scancel; do
    command -v "$program" >/dev/null || missing+=("$program")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "not found: ${missing[*]}; on Debian 12: apt-get install -y --no-install-recommends" \
        "slurmctld slurmd slurm-client munge slurm-wlm-basic-plugins" >&2
    exit 1
fi

conf=/etc/slurm/slurm.conf
if [ -e "$conf" ] || [ -L "$conf" ]; then
    echo "$conf exists: this machine has a Slurm already, or a test of ours was killed before it could" \
        "tidy up (then remove the link)" >&2
    exit 1
fi

# munged and slurmctld refuse folders that others may write to
umask 022
mkdir -p "$dir"/{etc,state,spool,log,run,dev}
for i in 0 1; do
    [ -e "$dir/dev/gpu$i" ] || mknod -m 666 "$dir/dev/gpu$i" c 1 3
done
(umask 077 && head -c 1024 /dev/urandom >"$dir/etc/munge.key")

cat >"$dir/etc/slurm.conf" <<CONF
ClusterName=loopback
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${SLURMCTLD_PORT:-16817}
SlurmdPort=${SLURMD_PORT:-16818}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2,sched_min_interval=100000
MinJobAge=3600
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
GresTypes=gpu
DefMemPerCPU=512
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 RealMemory=65536 Gres=gpu:fake:2 State=UNKNOWN
PartitionName=cpu Nodes=$host Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=$host MaxTime=INFINITE State=UP
PartitionName=tpu Nodes=$host MaxTime=INFINITE State=UP
CONF
echo "NodeName=$host Name=gpu Type=fake File=$dir/dev/gpu[0-1]" >"$dir/etc/gres.conf"
mkdir -p /etc/slurm
ln -s "$dir/etc/slurm.conf" "$conf"

# What follows is in the background and holds none of our files open.
munged --key-file "$dir/etc/munge.key" --socket "$dir/run/munge.socket" \
    --pid-file "$dir/run/munged.pid" --log-file "$dir/log/munged.log" \
    --seed-file "$dir/run/munged.seed" </dev/null
slurmctld -f "$dir/etc/slurm.conf" </dev/null
slurmd -f "$dir/etc/slurm.conf" -N "$host" </dev/null

for _ in $(seq 150); do
    state=$(sinfo -h -p cpu -o %T 2>/dev/null || true)
    if [ "$state" = idle ]; then
        sinfo -o "%P %a %T %c %m %G"
        exit 0
    fi
    sleep 0.2
done
echo "the node did not come up, it is '$state' after 30 seconds; see $dir/log" >&2
tail -n 20 "$dir"/log/*.log >&2
exit 1
