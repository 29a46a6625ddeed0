#!/bin/bash
# Makes the keys and certificates of a cluster in the working directory:  keys.sh ADDRESS
# ADDRESS is that of the API server and of the node.
set -euo pipefail
umask 077
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=test-ca -keyout ca.key -out ca.crt

sign() { # sign NAME SUBJECT [ALTERNATIVE_NAMES]
    openssl req -newkey rsa:2048 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" \
        -extfile <(echo "${3:+subjectAltName=$3}")
}

service=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
sign api /CN=kube-apiserver "IP:$1,$service"
sign api-to-kubelet /O=system:masters/CN=api-to-kubelet
sign kubelet "/O=system:nodes/CN=system:node:$1" "IP:$1"
openssl genrsa -out accounts.key 2048
