#!/bin/sh
# compile - makes the launcher of one program (launcher.c)
#
# Usage: compile.sh NODE PROGRAM OUTPUT. The first two are absolute paths on the system where it will run; whoever
# installs it gives OUTPUT to root and the set-gid group, with mode 2755.
exec "${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fPIE -pie -fstack-protector-strong \
  -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -Wl,-z,relro,-z,now \
  -DNODE_FILE="\"$1\"" -DPROGRAM_FILE="\"$2\"" -o "$3" "$(dirname "$0")/launcher.c"
