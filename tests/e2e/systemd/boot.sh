#!/bin/bash
# A machine for tests: the systemd of this one, booted as PID 1 in namespaces of its own over a throw-away copy of /.
#
#   boot.sh STATE up PATH...      boots; each PATH is seen inside at the same place, read-only
#   boot.sh STATE exec WORD...    runs a command inside as root
#   boot.sh STATE down            ends everything inside and removes the control groups
#
# STATE is a directory for two pid files and the log of the boot. Nothing inside can reach the network, the host's
# processes or its files: / is an overlay whose upper layer is memory. Needs root; leaves nothing behind.
set -eu
[ $# -ge 2 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
STATE=$1 VERB=$2
shift 2

groups() { # every hierarchy of control groups there is: one, or one per controller
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup; else ls -d /sys/fs/cgroup/*/; fi
}

up() {
    setsid "$0" "$STATE" inside "$@" </dev/null >"$STATE/boot.log" 2>&1 &
    echo $! >"$STATE/outer"
    for _ in $(seq 150); do
        init=$(pgrep -P "$(cat "$STATE/outer")" systemd) || { sleep 0.1; continue; }
        echo "$init" >"$STATE/init"
        if nsenter -t "$init" -a -r -w systemctl is-system-running --wait >"$STATE/running" 2>&1; then return; fi
        grep -q degraded "$STATE/running" && break
        sleep 0.1
    done
    cat "$STATE/boot.log" "$STATE/running" >&2
    exit 1
}

down() {
    kill -9 "$(cat "$STATE/init")" 2>/dev/null || true
    for _ in $(seq 100); do
        [ -e "/proc/$(cat "$STATE/outer")" ] || break
        sleep 0.05
    done
    for _ in $(seq 100); do
        left=0
        for hierarchy in $(groups); do
            own=${hierarchy%/}/hermes-e2e-$(cat "$STATE/outer")
            [ ! -d "$own" ] || find "$own" -depth -type d -exec rmdir {} \; 2>/dev/null || true
            [ ! -d "$own" ] || left=1
        done
        [ $left = 1 ] || return 0
        sleep 0.05
    done
    echo "control groups of $STATE are still in use" >&2
    exit 1
}

inside() {
    # A control group of our own in each hierarchy, which is all that the new cgroup namespace shows: systemd would
    # otherwise take the processes of the host for its own.
    for hierarchy in $(groups); do
        hierarchy=${hierarchy%/}
        own=$hierarchy/hermes-e2e-$$
        [ -e "$hierarchy/cgroup.procs" ] || continue
        mkdir "$own"
        case $hierarchy in */cpuset)
            cat "$hierarchy/cpuset.cpus" >"$own/cpuset.cpus"
            cat "$hierarchy/cpuset.mems" >"$own/cpuset.mems"
        esac
        echo $$ >"$own/cgroup.procs"
    done
    exec unshare --pid --fork --kill-child --mount --uts --ipc --cgroup --net --propagation private \
        "$0" "$STATE" furnish "$@"
}

furnish() {
    hostname hermes-e2e
    ip link set lo up
    mkdir -p "$STATE/disk"
    mount -t tmpfs -o size=2g,mode=755 tmpfs "$STATE/disk"
    mkdir "$STATE/disk/upper" "$STATE/disk/work" "$STATE/disk/root"
    root=$STATE/disk/root
    mount -t overlay overlay -o "lowerdir=/,upperdir=$STATE/disk/upper,workdir=$STATE/disk/work" "$root"
    kernel_views
    mount_control_groups
    for path in "$@"; do share "$path"; done
    quiet
    cd "$root"
    mkdir -p .old
    pivot_root . .old
    umount -l /.old
    exec env -i container=hermes-e2e PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        /lib/systemd/systemd --system --log-target=console --log-level=info --show-status=0 --unit=multi-user.target
}

kernel_views() {
    mount -t proc proc "$root/proc"
    # Settings of the kernel are the host's: systemd would change them while it boots.
    mount --bind "$root/proc/sys" "$root/proc/sys"
    mount -o remount,bind,ro "$root/proc/sys"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for node in null zero full random urandom tty fuse; do
        [ -e /dev/$node ] || continue
        touch "$root/dev/$node"
        mount --bind /dev/$node "$root/dev/$node"
    done
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    mount -t tmpfs tmpfs "$root/dev/shm"
    ln -s /proc/self/fd "$root/dev/fd"
    for stream in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${stream%%:*}" "$root/dev/${stream#*:}"; done
    touch "$root/dev/console"
    mount --bind /dev/null "$root/dev/console"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
}

mount_control_groups() { # as the host has them
    tree=$root/sys/fs/cgroup
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        mount -t cgroup2 cgroup2 "$tree"
        return
    fi
    mount -t tmpfs -o mode=755 tmpfs "$tree"
    mkdir "$tree/unified" "$tree/systemd"
    mount -t cgroup2 cgroup2 "$tree/unified"
    mount -t cgroup -o none,name=systemd cgroup "$tree/systemd"
    for controller in memory pids cpu cpuacct blkio devices freezer; do
        mkdir "$tree/$controller"
        mount -t cgroup -o $controller cgroup "$tree/$controller" || rmdir "$tree/$controller"
    done
}

share() { # what lies below /tmp or on another disk is not in the copy; everybody may go where it is
    mkdir -p "$root$1"
    above=$(dirname "$1")
    while [ "$above" != / ]; do
        chmod a+x "$root$above"
        above=$(dirname "$above")
    done
    mount --bind "$1" "$root$1"
    mount -o remount,bind,ro "$root$1"
}

quiet() { # nothing that this machine starts by itself, and nothing that needs hardware
    rm -f "$root"/etc/systemd/system/*.target.wants/*
    : >"$root/etc/machine-id"
    : >"$root/etc/fstab"
    for unit in systemd-sysctl.service systemd-udevd.service systemd-udevd-control.socket \
        systemd-udevd-kernel.socket systemd-udev-trigger.service systemd-timesyncd.service \
        systemd-remount-fs.service systemd-modules-load.service sys-kernel-config.mount sys-kernel-debug.mount \
        sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount getty.target systemd-binfmt.service \
        proc-sys-fs-binfmt_misc.automount systemd-firstboot.service systemd-resolved.service; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
}

case $VERB in
up) up "$@" ;;
down) down ;;
exec) exec nsenter -t "$(cat "$STATE/init")" -a -r -w "$@" ;;
inside) inside "$@" ;;
furnish) furnish "$@" ;;
*) echo "boot.sh: unknown verb $VERB" >&2; exit 2 ;;
esac
