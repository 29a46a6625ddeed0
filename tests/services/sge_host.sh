# The inside of the namespaces of sge.py: a host of the name localhost with files of its own, on which qmaster runs.
# Ends when it is killed, and all processes of the namespace with it.
set -e
folder=$1
ip link set lo up
hostname localhost
mount --bind "$folder/root" /var/lib/gridengine
mount --bind "$folder/spool" /var/spool/gridengine
mkdir -p /var/run/gridengine
mount -t tmpfs -o mode=755 tmpfs /var/run/gridengine
chown sgeadmin /var/run/gridengine
echo localhost > /var/lib/gridengine/default/common/act_qmaster
su sgeadmin -s /bin/sh -c 'exec /usr/sbin/sge_qmaster' &
touch "$folder/inside-is-set-up"
exec sleep infinity
