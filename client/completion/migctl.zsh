#compdef migctl
# Completes the command line of migctl in zsh: migctl completion zsh > "${fpath[1]}/_migctl"

_migctl() {
  local -a answer texts shown
  local line text description
  local -i width=0
  answer=("${(@f)$("${(Q)words[1]/#\~/$HOME}" __complete -- "${(@Q)words[2,CURRENT-1]}" \
    "${(Q)PREFIX}" 2>/dev/null)}")

  if [[ ${answer[1]} == (files|directories) ]]; then
    compset -P '--*='
    [[ ${answer[1]} == files ]] && _files || _files -/
  fi
  for line in "${(@)answer[2,-1]}"; do
    text=${line%%$'\t'*}
    texts+=("$text")
    ((${#text} > width)) && width=${#text}
  done
  (($#texts)) || return
  for line in "${(@)answer[2,-1]}"; do
    text=${line%%$'\t'*} description=${line#*$'\t'}
    [[ -n $description ]] && text="${(r:width:)text}  -- $description"
    shown+=("$text")
  done
  # In the order of the answer (-V), each with its description in a line of its own (-l).
  compadd -l -V migctl -d shown -a texts
}

if [[ ${funcstack[1]} == _migctl ]]; then
  _migctl "$@"
else
  compdef _migctl migctl
fi
