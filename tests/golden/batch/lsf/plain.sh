#!/bin/bash
#BSUB -J "relax-1[1-1]"
#BSUB -cwd "/depot/runs/eos-1/batches/relax-1"
#BSUB -o "/depot/runs/eos-1/batches/relax-1/out/%J.%I.lsf"
#BSUB -L /bin/bash
#BSUB -n 1
#BSUB -R "span[hosts=1]"

folder=/depot/runs/eos-1/batches/relax-1
element=$((${LSB_JOBINDEX:-1} - 1))
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
[ -d "$folder/out" ] || mkdir -p "$folder/out"
exec >> "$folder/out/$element" 2>&1
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
