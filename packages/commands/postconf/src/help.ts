/**
 * help - what postconf --help prints
 */
export const HELP = `Usage: postconf [option...] [name...]
       postconf [-c config_dir] [-e] name=value...
       postconf [-c config_dir] -X|-# name...

Shows or changes the configuration. Without a name: all parameters.

What to show:
  -d                defaults, not what is set
  -n                only what main.cf sets
  -C class          only parameters of these classes: builtin, service, user, all
  -M [name[/type]]  services of master.cf
  -F [name[/type[/field]]]     fields of master.cf
  -P [name[/type[/parameter]]] -o settings in master.cf
  -l                ways to lock a mailbox
  -m                types of lookup tables
  -a, -A, -T mode   SASL and TLS: nothing to show yet

How:
  -f                fold long lines
  -h                values without names
  -H                names without values
  -o name=value     as if main.cf said so
  -q                no warnings about parameters that nobody uses
  -x                with $name expanded

Changes to main.cf:
  -e                set (may be left out)
  -X                remove
  -#                make a comment of it

  -c config_dir     use the main.cf and master.cf in this directory
  -v                accepted
  --help            show this text
`
