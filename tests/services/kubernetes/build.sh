#!/bin/bash
# Builds Kubernetes, etcd and Argo Workflows from Go's modules into a folder:  build.sh FOLDER
# Only what is missing there is made, and appears when it is whole. Go is the `go` of PATH; Go's own settings say where
# modules come from, and where they and the compiler's cache are kept (some 7 GB, none of it needed afterwards).
set -euo pipefail
out=$(realpath -m "$1")
cd "$(dirname "$0")/go"
scratch=$out/scratch
mkdir -p "$out" "$scratch"
export TMPDIR=$scratch CGO_ENABLED=0 GOFLAGS="-mod=readonly -buildvcs=false -trimpath" GOTOOLCHAIN=local
say() { echo "$(date +%T) $*"; }
version_of() { go list -m -f '{{.Version}}' "$1"; }

build() { # build NAME FLAGS_OF_GO... PACKAGE
    local name=$1
    shift
    [ -x "$out/$name" ] && return
    say "$name"
    go build -o "$scratch/$name" "$@"
    mv "$scratch/$name" "$out/$name"
}

# All of Kubernetes, etcd and kubectl in one program, which is what it is called by
kube=$(version_of k8s.io/kubernetes)
minor=${kube#v1.}
x="-X k8s.io/component-base/version"
build kube -ldflags "-s -w $x.gitVersion=$kube $x.gitMajor=1 $x.gitMinor=${minor%%.*} $x.gitTreeState=clean" ./cmd/kube
for name in etcd kubectl kube-apiserver kube-controller-manager kube-scheduler kubelet; do
    ln -sfn kube "$out/$name"
done

# Argo is built from a copy of its module, because some of it must differ, and what lies in the module cache may not be
# replaced file by file: a module holds neither the pages that are built from ui/ nor symbolic links, and two servers
# would listen on every interface.
argo=github.com/argoproj/argo-workflows/v3
version=$(version_of $argo)
go mod download $argo
module=$(go list -m -f '{{.Dir}}' $argo)
copy=$scratch/argo-source
rm -rf "$copy"
cp -r "$module" "$copy"
chmod -R u+w "$copy"
mkdir -p "$copy/ui/dist/app"
echo '<!doctype html><title>Argo</title>' >"$copy/ui/dist/app/index.html"
cp "$copy"/workflow/executor/osspecific/signal_{darwin,linux}.go
server=$copy/server/apiserver/argoserver.go
controller=$copy/cmd/workflow-controller/main.go
sed -i 's/net.Listen("tcp", address)/net.Listen("tcp", "127.0.0.1"+address)/' "$server"
sed -i 's/ListenAndServe(":6060"/ListenAndServe("127.0.0.1:6060"/' "$controller"
grep -q '"127.0.0.1"+address' "$server"
grep -q '127.0.0.1:6060' "$controller"
cp go.sum "$scratch/go.sum"
cp go.mod "$scratch/go.mod"
printf '\nreplace %s => %s\n' $argo "$copy" >>"$scratch/go.mod"
x="-X $argo"
for name in argoexec workflow-controller argo; do
    build $name -modfile "$scratch/go.mod" \
        -ldflags "-s -w $x.version=$version $x.gitTag=$version $x.gitCommit=0000000 $x.gitTreeState=clean" $argo/cmd/$name
done
mkdir -p "$out/crds"
install -m 644 "$module"/manifests/base/crds/minimal/argoproj.io_*.yaml "$out/crds/"
rm -rf "$scratch"
say "done"
