#!/bin/sh
# Runs programs for the runner, which is in the other container of the pod: so an image need not have Python for its
# programs. Nothing is used but what a shell has itself, and of `cat` and `setsid` those that the image has.
#
# MAILBOX/bell      a pipe on which the runner rings: `run CALL`, `TERM CALL`, `KILL CALL`, and at last `end CODE`
# MAILBOX/out, err  pipes: what comes out of them is the log of this container
# MAILBOX/message   if there is one: what Kubernetes is to say of this container
# MAILBOX/stop      made here, empty: this container was told to end, which is the runner's to see to
#
# CALL              a folder: argv/0, argv/1, ...; env/NAME, ...; and links `cwd`, `stdin`, `stdout`, `stderr`
# CALL/pid          of the program, or of its process group
# CALL/missing      made here, empty: the program is not there
# CALL/code         its exit code and a newline: it has ended

# Reads a whole file, whatever is in it, into sciflow_value.
take() {
  sciflow_value=
  while IFS= read -r sciflow_line; do
    sciflow_value=$sciflow_value$sciflow_line'
'
  done <"$1"
  sciflow_value=$sciflow_value$sciflow_line
}

# Becomes the program of a call. The variables come last: they may have any name.
become() {
  trap - TERM INT HUP
  exec <"$1/stdin" >>"$1/stdout" 2>>"$1/stderr" || exit
  cd -P "$1/cwd" || exit
  sciflow_call=$1
  sciflow_count=0
  set --
  while [ -e "$sciflow_call/argv/$sciflow_count" ]; do
    take "$sciflow_call/argv/$sciflow_count"
    set -- "$@" "$sciflow_value"
    sciflow_count=$((sciflow_count + 1))
  done
  for sciflow_file in "$sciflow_call"/env/*; do
    [ -e "$sciflow_file" ] || continue
    take "$sciflow_file"
    : >"$sciflow_file" # it may have been a secret
    export "${sciflow_file##*/}=$sciflow_value"
  done
  case $1 in
    */*) [ -f "$1" ] && [ -x "$1" ] ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac || {
    : >"$sciflow_call/missing"
    exit 127
  }
  if command -v setsid >/dev/null 2>&1; then
    exec setsid "$@"
  fi
  exec "$@"
}

# Runs the program of a call, and says how it has ended.
call() {
  trap '' TERM INT HUP
  become "$1" &
  echo "$!" >"$1/pid"
  wait "$!" 2>/dev/null # or it would say that a program was killed
  echo "$?" >"$1/code"
}

# Sends a signal to the program of a call, and to all that it has started if that can be done.
send() {
  [ ! -e "$2/code" ] && [ -s "$2/pid" ] && read -r pid <"$2/pid" || return
  kill -s "$1" -- "-$pid" 2>/dev/null || kill -s "$1" "$pid" 2>/dev/null
}

# Copies the standard input to the standard output.
show() {
  trap '' TERM INT HUP
  command -v cat >/dev/null 2>&1 && exec cat
  while IFS= read -r line; do
    printf '%s\n' "$line"
  done
  printf '%s' "$line"
}

box=$1
told=
trap ': >"$box/stop"; told=yes' TERM INT HUP
show <"$box/out" &
out=$!
show <"$box/err" >&2 &
err=$!
exec 3<"$box/bell"
while :; do
  told=
  if read -r what which <&3; then
    case $what in
      run) (exec 3<&- && call "$which") & ;;
      end)
        trap '' TERM INT HUP
        wait "$out" "$err"
        if [ -s "$box/message" ] && [ -w /dev/termination-log ]; then
          take "$box/message"
          printf '%s' "$sciflow_value" >/dev/termination-log
        fi
        exit "$which"
        ;;
      *) send "$what" "$which" ;;
    esac
  elif [ -z "$told" ]; then
    exit 143 # the runner has died
  fi
done
