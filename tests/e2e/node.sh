#!/bin/bash
# PID 1 of the node: containerd, kubelet and kube-proxy in network, mount and pid namespaces of their own. When it is killed
# the kernel ends everything inside, mounts and interfaces with it.
#   node.sh WORK PROGRAMS NODE_IP HOST_IP POD_CIDR NAME IMAGE...
set -euo pipefail
work=$1 programs=$2 node_ip=$3 host_ip=$4 pod_cidr=$5 name=$6
shift 6

mount --make-rshared /
for folder in /run /var/lib/cni /var/lib/kubelet /var/log /var/lib/containerd; do
  mkdir -p "$folder"
  mount -t tmpfs tmpfs "$folder"
done
# The kubelet writes these for the whole machine: let it write into files.
for setting in vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1; do
  file=$work/sysctl-${setting//[\/=]/-}
  echo "${setting#*=}" > "$file"
  mount --bind "$file" "/proc/sys/${setting%=*}"
done
for _ in $(seq 500); do ip link show node0 > /dev/null 2>&1 && break; sleep 0.01; done
ip link set lo up
ip addr add "$node_ip/24" dev node0
ip link set node0 up
ip route add default via "$host_ip"
echo 1 > /proc/sys/net/ipv4/ip_forward

mkdir -p "$work/cni" "$work/pod-logs"
cat > "$work/cni/10-bridge.conflist" <<CNI
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": false,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pod_cidr"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
CNI
cat > "$work/containerd.toml" <<TOML
version = 2
root = "$work/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:e2e"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$work/cni"
TOML
containerd --config "$work/containerd.toml" > "$work/containerd.log" 2>&1 &
for _ in $(seq 500); do ctr --address /run/containerd/containerd.sock version > /dev/null 2>&1 && break; sleep 0.02; done
for image in "$@"; do ctr --address /run/containerd/containerd.sock -n k8s.io images import "$image" >> "$work/import.log" 2>&1; done

cat > "$work/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {x509: {clientCAFile: $work/kubelet-client.crt}, webhook: {enabled: true}, anonymous: {enabled: false}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: /$name
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDNS: [$host_ip]
clusterDomain: cluster.local
resolvConf: $work/resolv.conf
podLogsDir: $work/pod-logs
volumePluginDir: $work/volume-plugins
evictionHard: {memory.available: 10Mi, nodefs.available: 1Mi, imagefs.available: 1Mi, nodefs.inodesFree: 1%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
crashLoopBackOff: {maxContainerRestartPeriod: 1s}
nodeStatusUpdateFrequency: 2s
syncFrequency: 10s
maxPods: 200
registryPullQPS: 0
YAML
echo "nameserver $host_ip" > "$work/resolv.conf"
"$programs/kubelet" --config="$work/kubelet.yaml" --kubeconfig="$work/kubelet.json" --hostname-override="$name" --node-ip="$node_ip" \
  > "$work/kubelet.log" 2>&1 &
cat > "$work/proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $work/proxy.json}
hostnameOverride: $name
clusterCIDR: $pod_cidr
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
nftables: {minSyncPeriod: 10ms, syncPeriod: 30s}
nodePortAddresses: ["$node_ip/32"]
YAML
"$programs/kube-proxy" --config="$work/proxy.yaml" > "$work/proxy.log" 2>&1 &
wait
