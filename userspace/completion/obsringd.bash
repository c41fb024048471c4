# SPDX-License-Identifier: MIT
# bash completion for obsringd: flags are what --help of the program says.

_obsringd() {
	local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD - 1]}

	# bash takes --flag=value apart at the equals sign.
	if [[ $word == = ]]; then
		word=
	elif [[ $flag == = ]]; then
		flag=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $flag in
	--device | --config.file | --web.config.file)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames
		;;
	--log.level) mapfile -t COMPREPLY < <(compgen -W 'debug info warn error' -- "$word") ;;
	--log.format) mapfile -t COMPREPLY < <(compgen -W 'logfmt json' -- "$word") ;;
	*)
		mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" --help 2>/dev/null |
			sed -n 's/^  --\[no-\]\([a-z.-]*\).*/--\1\n--no-\1/p; t; s/^  --\([a-z.-]*\).*/--\1/p')" -- "$word")
		;;
	esac
}

complete -F _obsringd obsringd
