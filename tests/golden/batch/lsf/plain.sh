#!/bin/bash
#BSUB -J "relax-1[1-1]"
#BSUB -cwd "/depot/runs/eos-1/batches/relax-1"
#BSUB -o "/depot/runs/eos-1/batches/relax-1/out/%J.%I.lsf"
#BSUB -L /bin/bash
#BSUB -n 1
#BSUB -R "span[hosts=1]"

folder=/depot/runs/eos-1/batches/relax-1
element=$((${LSB_JOBINDEX:-1} - 1))
members=$element
runner=
told=
leave() {
    code=$?
    trap - EXIT
    for each in $members; do
        [ ! -e "$folder/done/$each" ] && [ ! -e "$folder/died/$each" ] || continue
        mkdir -p "$folder/died"
        echo "$code" > "$folder/died/.$each"
        mv -f "$folder/died/.$each" "$folder/died/$each"
    done
    exit "$code"
}
tell() {
    told=1
    kill -s "$1" "$runner" 2> /dev/null
}
trap leave EXIT
[ -d "$folder/out" ] || mkdir -p "$folder/out"
exec >> "$folder/out/$element" 2>&1
cd "$folder" || exit
for each in $members; do
    [ ! -e "$folder/died/$each" ] || rm -f "$folder/died/$each"
done
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
