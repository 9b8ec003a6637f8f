#!/bin/sh
# Runs the command that links a program, which is this script's arguments, with the archive beside
# each shared library where there is one. The C library and its like stay shared.
set -eu
grouped=false
for argument; do
  shift
  case $argument in
    -lre2)
      archive=$("$CXX" -print-file-name=libre2.a)
      if [ -e "$archive" ]; then argument=$archive; fi
      ;;
    # What every machine has; Debian does not want it inside other programs.
    */libz.so*) ;;
    */lib*.so | */lib*.so.[0-9]*)
      archive=${argument%%.so*}.a
      if [ -e "$archive" ]; then argument=$archive; fi
      ;;
  esac
  case $argument in
    *.a)
      # They need one another in circles.
      if ! $grouped; then set -- "$@" -Wl,--start-group; fi
      grouped=true
      ;;
  esac
  set -- "$@" "$argument"
done
if $grouped; then set -- "$@" -Wl,--end-group; fi
exec "$@"
