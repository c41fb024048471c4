# SPDX-License-Identifier: MIT
# bash completion for obsringctl: it knows its own words, and what exists now.

_obsringctl() {
	local -a words=()
	local i word

	# Options of all commands may stand before the command.
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if ((${#words[@]} == 0)); then
			case $word in
			--device) ((i++)); continue ;;
			-*) continue ;;
			esac
		fi
		words+=("$word")
		# Behind it stands another command, which bash-completion knows.
		if [[ ${words[0]} == run && $word == -- ]]; then
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 1))
			fi
			return
		fi
	done
	mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" complete \
		"${words[@]}" "${COMP_WORDS[COMP_CWORD]}" 2>/dev/null)
}

complete -F _obsringctl obsringctl
