# Shell words that the commands of items may use. This text runs in dash, bash and busybox.
#
# Nothing opens what is not a regular file, for a FIFO would wait for its writer. What vanishes while it is looked at is no
# failure, nor is a file that this host does not have; what is there and cannot be read is one.

show() {
  shown=0 result=0
  for path do
    [ -f "$path" ] || continue
    printf '==> %s\n' "$path"
    cat "$path" || result=1
    echo
    shown=1
  done
  [ $shown -eq 1 ] || echo 'There is no such file.'
  return $result
}

list() {
  listed=0
  for path do
    [ -e "$path" ] || continue
    printf '==> %s\n' "$path"
    ls -la --full-time "$path"
    echo
    listed=1
  done
  [ $listed -eq 1 ] || echo 'There is no such folder.'
}

below() {
  tests=$1
  shift
  for path do
    if [ -d "$path" ]; then find "$path" -xdev $tests -exec ls -ld --full-time {} + 2>/dev/null; fi
  done
  true
}

tree() { below '' "$@"; }

changed() { below '-type f -mtime -7' "$@"; }

privileged() { below '-type f ( -perm -4000 -o -perm -2000 )' "$@"; }

# A multiple of 384, the size of a record in wtmp and btmp.
kept_bytes=4194048

keep() {
  result=0 kept=0
  for path do
    [ -f "$path" ] || continue
    copy=files$path
    mkdir -p "${copy%/*}" && tail -c "$kept_bytes" "$path" >"$copy" && touch -r "$path" "$copy" || result=1
    ls -ld --full-time "$path"
    kept=1
  done
  [ $kept -eq 1 ] || echo 'There is no such file.'
  return $result
}

search() {
  wanted=$1
  shift
  for path do
    if [ -e "$path" ]; then find "$path" -type f -exec grep -Hi -e "$wanted" {} + 2>/dev/null; fi
  done
  true
}

in_homes() {
  word=$1
  shift
  names=$*
  cut -d: -f6 /etc/passwd | sort -u | while read -r home; do
    [ ${#home} -gt 1 ] && cd "$home" 2>/dev/null || continue
    for name in $names; do
      if [ -e "$name" ]; then "$word" "$home/$name"; fi
    done
  done
}

without_passwords() { sed 's#://[^/@ ]*@#://(left out)@#g'; }

init_environment() {
  { true </proc/1/environ; } || return
  tr '\0' '\n' </proc/1/environ |
    sed -E 's/^([^=]*([Pp][Aa][Ss][Ss]|SECRET|TOKEN|KEY|CREDENTIAL|AUTH|secret|token|key)[^=]*)=.*/\1=(left out)/' |
    without_passwords
}

each_process() {
  for path in /proc/[0-9]*; do
    printf '%s\t' "${path#/proc/}"
    grep -E '^(Name|State|PPid|Uid):' "$path/status" 2>/dev/null | tr '\t\n' ' \t'
    { tr '\0\n' '  ' <"$path/cmdline"; } 2>/dev/null
    echo
  done
}

process_tree() {
  cat /proc/[0-9]*/stat 2>/dev/null | awk '
    {
      from = index($0, "(")
      to = match($0, /\) [A-Za-z] [0-9]+ /)
      if (!to) next
      split(substr($0, to + 2), rest, " ")
      name[$1] = substr($0, from, to - from + 1) " " rest[1]
      below[rest[2]] = below[rest[2]] " " $1
    }
    function branch(pid, indent,   pids, count, i) {
      count = split(below[pid], pids, " ")
      for (i = 1; i <= count; i++) {
        print indent pids[i] " " name[pids[i]]
        branch(pids[i], indent "  ")
      }
    }
    END { branch(0, "") }'
}

running_programs() {
  ls -l /proc/[0-9]*/exe 2>/dev/null |
    sed -n 's#^.* \(/proc/[0-9]*/exe\) -> \(.*\)$#\1|\2#p' |
    sort -t '|' -k 2 |
    while IFS='|' read -r link program; do
      [ "$program" != "${before-}" ] || continue
      before=$program
      { sum=$(sha256sum <"$link"); } 2>/dev/null || continue
      printf '%s  %s  %s\n' "${sum%% *}" "$link" "$program"
    done
}

open_files() {
  for path in /proc/[0-9]*/fd; do
    printf '==> %s\n' "$path"
    ls -l "$path" 2>/dev/null
  done
  true
}

authorized_keys() {
  cut -d: -f6 /etc/passwd | sort -u | while read -r home; do
    [ -d "$home/.ssh" ] || continue
    list "$home/.ssh"
    for path in "$home/.ssh/authorized_keys" "$home/.ssh/authorized_keys2"; do
      [ -s "$path" ] && [ -f "$path" ] || continue
      printf '==> %s\n' "$path"
      ssh-keygen -l -f "$path" 2>/dev/null || cat "$path"
    done
  done
}

password_states() {
  awk -F: '{
    state = $2 == "" ? "empty" : $2 ~ /^[!*]/ ? "locked" : "set"
    print $1 ": " state ", since day " $3 ", may change after " $4 ", must after " $5 " days, account ends on day " $8
  }' /etc/shadow
}
