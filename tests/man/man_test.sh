#!/usr/bin/env bash
# The manual pages: nothing in them is amiss for groff and mandoc, and they have every command and
# option that the programs' help has.
#
# usage: MIGD=... MIGCTL=... man_test.sh DIRECTORY-OF-PAGES
set -uo pipefail

readonly PAGES=$1
failures=0
fail() {
  failures=$((failures + 1))
  printf 'FAILED %s\n' "$*"
}

# The page as it is read, in one line.
text_of() { groff -man -Tutf8 -P-c -rLL=500n "$PAGES/$1" | col -b | tr -s ' \n' ' '; }

# The long options that a help lists.
options_of() { "$@" --help | grep -oE '^  (-[a-z],)*--[a-z-]+' | grep -oE -- '--[a-z-]+'; }

expect_in_page() { [[ $1 == *"$2"* ]] || fail "$3 has no '$2'"; }

for page in migctl.1 migd.8; do
  problems=$(groff -ww -man -Tutf8 "$PAGES/$page" 2>&1 >/dev/null)
  [[ -z $problems ]] || fail "groff: $problems"
  # A generated page has the program's version, no date of its own.
  problems=$(mandoc -Tlint -W warning "$PAGES/$page" | grep -v 'missing date')
  [[ -z $problems ]] || fail "mandoc: $problems"
  [[ $(lexgrog "$PAGES/$page" 2>&1) == *" - "* ]] || fail "$page: apropos does not understand NAME"
  ! grep -n '@[A-Z]*@' "$PAGES/$page" || fail "$page: a placeholder is left"
done

migd_page=$(text_of migd.8)
count=0
while read -r option; do
  expect_in_page "$migd_page" "$option" migd.8
  count=$((count + 1))
done < <(options_of "$MIGD")
((count > 20)) || fail "migd --help lists only $count options"

migctl_page=$(text_of migctl.1)
count=0
while read -r option; do expect_in_page "$migctl_page" "$option" migctl.1; done \
  < <(options_of "$MIGCTL")
while read -r command; do
  expect_in_page "$migctl_page" "migctl $command" migctl.1
  count=$((count + 1))
  while read -r option; do expect_in_page "$migctl_page" "$option" "migctl.1, of $command"; done \
    < <(options_of "$MIGCTL" "$command")
done < <("$MIGCTL" __complete -- '' | tail -n +2 | cut -f 1)
((count > 15)) || fail "migctl has only $count commands"

((failures == 0)) && echo "the manual pages are good"
exit $((failures > 0))
