#!/usr/bin/env bash
# A real SLURM cluster of virtual nodes on one Debian machine, for tests; runs as root, without systemd.
#   slurm.sh install   install what is missing
#   slurm.sh check     exit status 3, and a reason, where it cannot run
#   slurm.sh up        configure and start everything, wait until all nodes are idle
#   slurm.sh down      cancel jobs and stop exactly what `up` started, by process id
# Everything (munge key and socket, ports, database, state, logs, commands) is private to the folder CLUSTER, and
# /etc/slurm is not read, so that it runs beside other clusters. PORT and the 19 that follow must be free.
set -euo pipefail
CLUSTER=${CLUSTER:-} PORT=${PORT:-0} # needed for up and down
GPUS=(${GPUS:-2 2}) # fake GPUs of each node: as many nodes as numbers
FEATURES=(first second third) # what --constraint asks for, node by node
CPUS=${CPUS:-8}     # virtual CPUs of each node
MEMORY=${MEMORY:-16000} # MB of each node, none of it enforced
HOST=$(hostname -s)
PACKAGES=(slurmctld slurmd slurm-client munge slurmdbd mariadb-server)
COMMANDS=(sbatch srun squeue sacct sacctmgr scontrol scancel sinfo sshare)
MUNGE=$CLUSTER/munge/munge.sock
export SLURM_CONF=$CLUSTER/etc/slurm.conf
export PATH=/usr/sbin:/usr/bin:/sbin:/bin # not the commands of another such cluster

fail() {
  printf 'slurm.sh: %s\n' "$*" >&2
  tail -n 15 "$CLUSTER"/log/* >&2 2>/dev/null || true
  exit 1
}
runs() { # PID: is there and is no zombie (an init that does not reap leaves those)
  grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$1/status"
}
start() { # NAME COMMAND...
  local name=$1
  shift
  setsid nohup "$@" >"$CLUSTER/log/$name.out" 2>&1 </dev/null &
  echo $! >"$CLUSTER/pid/$name"
}
stop() { # NAME...
  local name pid
  for name in "$@"; do
    pid=$(cat "$CLUSTER/pid/$name" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do runs "$pid" && sleep 0.1; done
    kill -9 -- "-$pid" 2>/dev/null || true # its session: daemons leave helpers behind
    rm -f "$CLUSTER/pid/$name"
  done
}
wait_for() { # SECONDS WHAT COMMAND...
  local end=$(($(date +%s) + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || fail "$what did not come up"
    sleep 0.2
  done
}

missing_packages() {
  local package
  for package in "${PACKAGES[@]}"; do
    [ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || echo "$package"
  done
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -eq 0 ] && return
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq -o DPkg::Lock::Timeout=100 update || true # an older list of packages may do
  apt-get -qq -o DPkg::Lock::Timeout=100 install --no-install-recommends "${missing[@]}"
}

check() {
  local missing
  mapfile -t missing < <(missing_packages)
  [ "$(id -u)" = 0 ] || { echo "a SLURM cluster for tests is run by root only" && exit 3; }
  [ ${#missing[@]} -eq 0 ] || { echo "SLURM is not installed (${missing[*]}): make slurm" && exit 3; }
}

configure() {
  mkdir -p "$CLUSTER"/{etc,log,pid,state,munge,dev,bin}
  chmod 755 "$CLUSTER"
  chmod 711 "$CLUSTER/munge"
  dd if=/dev/urandom of="$CLUSTER/munge/munge.key" bs=1024 count=1 2>/dev/null
  chmod 400 "$CLUSTER/munge/munge.key"
  cat >"$CLUSTER/etc/slurmdbd.conf" <<END
DbdHost=$HOST
DbdAddr=127.0.0.1
DbdPort=$((PORT + 2))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$MUNGE
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((PORT + 3))
StorageUser=slurm
StoragePass=slurm
StorageLoc=accounting
LogFile=$CLUSTER/log/slurmdbd.log
PidFile=$CLUSTER/pid/slurmdbd.pidfile
END
  chmod 600 "$CLUSTER/etc/slurmdbd.conf"
  cat >"$CLUSTER/etc/slurm.conf" <<END
ClusterName=private
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=$PORT
SlurmdPort=$((PORT + 1))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$MUNGE
CredType=cred/munge
StateSaveLocation=$CLUSTER/state
SlurmdSpoolDir=$CLUSTER/spool/%n
SlurmctldPidFile=$CLUSTER/pid/slurmctld.pidfile
SlurmdPidFile=$CLUSTER/pid/slurmd.%n.pidfile
SlurmctldLogFile=$CLUSTER/log/slurmctld.log
SlurmdLogFile=$CLUSTER/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=2,sched_min_interval=100000
ReturnToService=0
SlurmdTimeout=30
MinJobAge=600
KillWait=5
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((PORT + 2))
AccountingStoragePass=$MUNGE
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
PartitionName=DEFAULT Nodes=ALL MaxTime=24:00:00 DefaultTime=10 State=UP
PartitionName=spare PriorityTier=0
PartitionName=gpu PriorityTier=1 PreemptMode=OFF Default=YES
PartitionName=cpu PriorityTier=1 PreemptMode=OFF
PartitionName=urgent PriorityTier=10 PreemptMode=OFF
END
  echo AutoDetect=off >"$CLUSTER/etc/gres.conf"
  local node
  for ((node = 0; node < ${#GPUS[@]}; node++)); do configure_node $((node + 1)) "${GPUS[node]}"; done
  # Jobs are started with a bare environment in places: the commands bring the path of the configuration along.
  local command
  for command in "${COMMANDS[@]}"; do
    printf '#!/bin/sh\nSLURM_CONF=%s exec /usr/bin/%s "$@"\n' "$SLURM_CONF" "$command" >"$CLUSTER/bin/$command"
    chmod 755 "$CLUSTER/bin/$command"
  done
}

# NUMBER GPUS: jobs go to the last of the nodes that they may go to (Weight). SLURM wants character devices for GPUs;
# these are copies of /dev/null.
configure_node() {
  local gpu devices="$CLUSTER/dev/nvidia[0-$(($2 - 1))]"
  [ "$2" = 1 ] && devices=$CLUSTER/dev/nvidia0
  local gres="File=$devices Flags=nvidia_gpu_env"
  for ((gpu = 0; gpu < $2; gpu++)); do
    [ -c "$CLUSTER/dev/nvidia$gpu" ] || mknod "$CLUSTER/dev/nvidia$gpu" c 1 3 2>/dev/null || gres="Count=$2"
  done
  echo "NodeName=n$1 Name=gpu $gres" >>"$CLUSTER/etc/gres.conf"
  echo "NodeName=n$1 NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$((PORT + 10 + $1)) CPUs=$CPUS RealMemory=$MEMORY" \
    "Gres=gpu:$2 Feature=${FEATURES[$1 - 1]} Weight=$((100 - $1)) State=UNKNOWN" >>"$CLUSTER/etc/slurm.conf"
}

start_accounting() {
  mariadb-install-db --no-defaults --user=root --datadir="$CLUSTER/db" --auth-root-authentication-method=normal \
    --skip-test-db >"$CLUSTER/log/mariadb-install" 2>&1 || fail "mariadb-install-db"
  start mariadbd mariadbd --no-defaults --user=root --datadir="$CLUSTER/db" --socket="$CLUSTER/db.sock" \
    --pid-file="$CLUSTER/pid/mariadbd.pidfile" --bind-address=127.0.0.1 --port=$((PORT + 3)) \
    --innodb-buffer-pool-size=64M --innodb-lock-wait-timeout=900 --innodb-flush-log-at-trx-commit=0
  wait_for 60 mariadbd sql "select 1"
  sql "create database accounting; create user slurm@'127.0.0.1' identified by 'slurm';
    create user slurm@localhost identified by 'slurm';
    grant all on accounting.* to slurm@'127.0.0.1'; grant all on accounting.* to slurm@localhost"
  start slurmdbd slurmdbd -D
  wait_for 60 slurmdbd timeout 5 sacctmgr -n show cluster
  sacctmgr -i add cluster private >/dev/null
  sacctmgr -i add account lab cluster=private >/dev/null
  sacctmgr -i add user "$(id -un)" account=lab >/dev/null
}

sql() { mariadb --no-defaults --socket="$CLUSTER/db.sock" -uroot -e "$1"; }
all_idle() { [ "$(timeout 5 sinfo -h -N -p cpu -t idle -o %N | sort -u | wc -l)" = ${#GPUS[@]} ]; }

up() {
  configure
  start munged munged --foreground --key-file="$CLUSTER/munge/munge.key" --socket="$MUNGE" --num-threads=2 \
    --pid-file="$CLUSTER/munge/munged.pidfile" --log-file="$CLUSTER/log/munged.log" \
    --seed-file="$CLUSTER/munge/munged.seed"
  wait_for 20 munged munge -n -S "$MUNGE"
  start_accounting
  start slurmctld slurmctld -D -f "$SLURM_CONF"
  wait_for 60 slurmctld timeout 5 scontrol ping
  local node
  for ((node = 1; node <= ${#GPUS[@]}; node++)); do
    mkdir -p "$CLUSTER/spool/n$node"
    start "slurmd.n$node" slurmd -D -f "$SLURM_CONF" -N "n$node"
  done
  wait_for 60 "all nodes" all_idle
}

down() {
  timeout 10 scancel --user="$(id -un)" 2>/dev/null || true
  local jobs
  for _ in $(seq 50); do
    jobs=$(timeout 2 squeue -h 2>/dev/null) || break
    [ -n "$jobs" ] || break
    sleep 0.2
  done
  local node daemons=()
  for ((node = 1; node <= ${#GPUS[@]}; node++)); do daemons+=("slurmd.n$node"); done
  stop "${daemons[@]}" slurmctld slurmdbd mariadbd munged
}

case ${1:-} in
install) install_packages ;;
check) check ;;
up) up ;;
down) down ;;
*) sed -n '2,7p' "$0" && exit 2 ;;
esac
