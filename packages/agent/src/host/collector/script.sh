# Looks at everything, one item after the other. No item can keep the next from its turn: what hangs is killed, and what cannot
# even be killed (a disk that is gone) is left to itself. Called with settings and words before it, items after it.

umask 077
export LC_ALL=C TERM=dumb PAGER=cat SYSTEMD_COLORS=0 SYSTEMD_PAGER= COLLECT_WORDS="$words"

# A session of its own makes everything that an item starts one group, to be killed as one.
session=setsid
command -v setsid >/dev/null 2>&1 || session=

late=0
trap 'late=$((late + 1))' USR1
number=0

# Hundredths of a second; the wall clock may jump.
clock() {
  read -r up _ </proc/uptime
  now=$((${up%.*} * 100 + 1${up#*.} - 100))
}

row() {
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$number" "$name" "$@" >>items.tsv
}

# Name, then a program and a command for each way; no program: it can be done everywhere.
item() {
  number=$((number + 1))
  name=$1
  shift
  echo "$number/$total $name"
  started=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  lacking=
  while [ $# -gt 0 ]; do
    if [ -z "$1" ] || command -v "$1" >/dev/null 2>&1; then break; fi
    lacking="$lacking${lacking:+ or }$1"
    shift 2
  done
  if [ $# -gt 0 ]; then look "$2"; else row '' '' "$started" '' '' "not on this host: $lacking"; fi
}

# The cap is a limit of the system, not a pipe: one that is held open by what an item left would hold us up as well. Files that
# reach it end there; the signal is ignored, for it would bring a crash report.
look() {
  file=$(printf '%02d-%s.txt' "$number" "$name")
  late=0
  clock
  began=$now
  $session sh -c "ulimit -f $((cap / 512)); trap '' XFSZ; "'eval "$COLLECT_WORDS"; eval "$1"' item "$1" \
    </dev/null >"$file" 2>&1 &
  pid=$!
  $session sh -c '
    sleep "$1"
    kill -USR1 "$3"
    kill -KILL "$2"
    while sleep 1; do kill -USR1 "$3" || exit; done
  ' limit "$limit" "$pid" $$ </dev/null >/dev/null 2>&1 &
  watch=$!
  # A signal ends the wait, its child ends the wait: after a signal it is waited for again, if it is there. (Where both come at
  # once, bash 5.2 would go on waiting for a child that it has buried: 1 of 8 times.)
  while [ $late -lt 4 ]; do
    seen=$late
    wait "$pid" 2>/dev/null
    status=$?
    [ $late -ne $seen ] && kill -0 "$pid" 2>/dev/null || break
  done
  # In this order: after the first it starts nothing any more.
  kill -KILL "$watch" 2>/dev/null
  kill -KILL "-$watch" 2>/dev/null
  wait "$watch" 2>/dev/null
  kill -KILL "-$pid" 2>/dev/null
  clock
  row "$file" "$1" "$started" "$(((now - began) * 10))" "$status" "$(outcome)"
}

outcome() {
  size=$(wc -c <"$file")
  cut=
  [ "${size:-0}" -lt "$cap" ] || cut="cut at $cap bytes"
  case $late in
    0) ;;
    4) echo "timed out after $limit s and could not be killed${cut:+, $cut}"; return ;;
    *) echo "timed out after $limit s${cut:+, $cut}"; return ;;
  esac
  if [ -n "$cut" ]; then
    echo "$cut"
  elif [ "$status" -ne 0 ]; then
    echo "failed (status $status)"
  else
    echo ok
  fi
}

printf 'number\tname\tfile\tcommand\tstarted\tmilliseconds\tstatus\toutcome\n' >items.tsv || exit 1
