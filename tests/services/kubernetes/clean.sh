#!/bin/bash
# Removes what a cluster whose programs have ended leaves in the kernel and outside of its folder:  clean.sh FOLDER
# A second cluster cannot run beside it, so that every pod's cgroup on this machine is of this one.
set -u
folder=$1
for group in /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods; do
    [ -d "$group" ] && find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u | while read -r pid; do
        kill -9 "$pid" 2>/dev/null
    done
done
for _ in 1 2 3; do # one may lie on another
    awk -v at="$folder/" 'index($2, at) == 1 {print $2}' /proc/self/mounts | sort -r | xargs -r -d '\n' -n 1 umount -l 2>/dev/null
done
for group in /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods /sys/fs/cgroup/*/k8s.io; do
    for _ in {1..20}; do # a process that was killed is in there until it is collected
        [ -d "$group" ] || break
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
        sleep 0.1
    done
done
[ -r "$folder/sysctl" ] && while read -r name value; do
    echo "$value" >"/proc/sys/$name" 2>/dev/null
done <"$folder/sysctl"

# Links to the logs of containers, and sockets of shims on which nobody listens any more
find /var/log/containers -maxdepth 1 -lname "$folder/*" -delete 2>/dev/null
find /run/containerd/s -type s 2>/dev/null | while read -r socket; do
    grep -q "$socket" /proc/net/unix || rm -f "$socket"
done
rm -f /var/lib/kubelet/device-plugins/{DEPRECATION,kubelet.sock,kubelet_internal_checkpoint}
# What is empty now: that of somebody else is not
rmdir /var/log/containers /var/lib/kubelet/device-plugins /var/lib/kubelet /var/lib/cni/results /var/lib/cni \
    /run/containerd/s /run/containerd/fifo /run/containerd/runc /run/containerd 2>/dev/null
exit 0
