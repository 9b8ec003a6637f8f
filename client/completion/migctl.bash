# shellcheck shell=bash
# Completes the command line of migctl in bash: source <(migctl completion bash)

# Prints the words of the command line as far as the cursor, one a line: as they are separated by
# spaces, without their quotes. bash has also cut them at : = @ and so on.
_migctl_words() {
  local rest=${COMP_LINE:0:COMP_POINT} words=() word i
  for ((i = 0; i <= COMP_CWORD; i++)); do
    local glued=
    [[ $i -gt 0 && $rest != [[:space:]]* ]] && glued=${words[-1]}
    rest=${rest#"${rest%%[![:space:]]*}"}
    word=${COMP_WORDS[i]}
    ((i < COMP_CWORD)) || word=$rest
    rest=${rest#"$word"}
    if [[ $glued ]]; then words[-1]+=$word; else words+=("$word"); fi
  done
  printf '%s\n' "${words[@]//[\"\'\\]/}"
}

_migctl() {
  local words answer
  mapfile -t words < <(_migctl_words)
  local current=${words[-1]}
  mapfile -t answer < <("${words[0]/#\~/$HOME}" __complete -- "${words[@]:1}" 2>/dev/null)
  # bash replaces what stands after the last character at which it cuts words; an @ with it.
  local kept=${current%"${current##*[$COMP_WORDBREAKS]}"}
  kept=${kept%@}
  compopt -o nosort 2>/dev/null
  COMPREPLY=()
  case ${answer[0]-} in
    files | directories)
      local kind=file
      [[ ${answer[0]} == files ]] || kind=directory
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -A "$kind" -- "${current#--*=}")
      ;;
  esac
  local line text description
  for line in "${answer[@]:1}"; do
    text=${line%%$'\t'*} description=${line#*$'\t'}
    text=${text#"$kept"}
    # A list of them (COMP_TYPE ?) is only shown: it may say what they are.
    if ((COMP_TYPE == 63 && ${#answer[@]} > 2)) && [[ $description ]]; then
      text+="  ($description)"
    fi
    COMPREPLY+=("$text")
  done
}

complete -F _migctl migctl
