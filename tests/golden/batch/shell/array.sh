#!/bin/bash
#SHELL name=relax-1
#SHELL elements=100
#SHELL throttle=10
#SHELL cores=1
#SHELL memory_mb=2000
#SHELL gpus=0
#SHELL walltime_s=3600

folder=/depot/runs/eos-1/batches/relax-1
element=$((${SCIFLOW_ELEMENT:-0}))
runner=
told=
leave() {
    code=$?
    trap - EXIT
    if [ ! -e "$folder/done/$element" ]; then
        mkdir -p "$folder/died" && echo "$code" > "$folder/died/.$element" \
            && mv -f "$folder/died/.$element" "$folder/died/$element"
    fi
    exit "$code"
}
tell() {
    told=1
    kill -s "$1" "$runner" 2> /dev/null
}
trap leave EXIT
cd "$folder" || exit
[ ! -e "$folder/died/$element" ] || rm -f "$folder/died/$element"
:
python3 /depot/code/runner.zip element /depot/runs/eos-1/batches/relax-1 "$element" < /dev/null &
runner=$!
trap 'tell TERM' TERM INT HUP
trap 'tell USR1' USR1 USR2 XCPU
wait "$runner"
code=$?
while [ -n "$told" ]; do
    told=
    wait "$runner"
    code=$?
done
exit "$code"
