# bash completion of sallyport; made by: sallyport completion
_sallyport() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} line= words= i
	COMPREPLY=()
	if [[ $prev == -C ]]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-C) ((i++)) ;;
		-*) ;;
		*) line+="${line:+ }${COMP_WORDS[i]}" ;;
		esac
	done
	case $line in
	"") words="init serve status lockdown revoke decoy org group user folder acl ca token session address upload audit hunt alarm key limits hostkey fsck verify witness backup restore completion version -C --json --help --version" ;;
	"decoy") words="plant mark list remove" ;;
	"org") words="add list show set" ;;
	"group") words="add list show remove member-add member-remove" ;;
	"user") words="add list show set key otp passwd suspend activate remove" ;;
	"user key") words="add list remove" ;;
	"user otp") words="add remove" ;;
	"folder") words="add list remove" ;;
	"acl") words="set show remove" ;;
	"ca") words="add list remove" ;;
	"token") words="add list remove" ;;
	"session") words="list revoke" ;;
	"address") words="list show ban unban" ;;
	"upload") words="list remove" ;;
	"audit") words="verify list prove check checkpoint" ;;
	"alarm") words="test list kinds" ;;
	"key") words="status rotate unlock" ;;
	"limits") words="show raise confirm unfreeze" ;;
	"hostkey") words="show make" ;;
	"witness") words="init add-log serve show push" ;;
	"init"*) words="--json --help --https --admin --sftp --org --name --certificate --key --root-key --recovery-passphrase-stdin --segment-length" ;;
	"serve"*) words="--json --help" ;;
	"status"*) words="--json --help" ;;
	"lockdown"*) words="--json --help --door --keys --lift --show" ;;
	"revoke"*) words="--json --help --all --user --org" ;;
	"decoy plant"*) words="--json --help --kind --path --as --count --org" ;;
	"decoy mark"*) words="--json --help --org" ;;
	"decoy list"*) words="--json --help" ;;
	"decoy remove"*) words="--json --help" ;;
	"org add"*) words="--json --help --quota" ;;
	"org list"*) words="--json --help" ;;
	"org show"*) words="--json --help" ;;
	"org set"*) words="--json --help --quota" ;;
	"group add"*) words="--json --help --org" ;;
	"group list"*) words="--json --help --org" ;;
	"group show"*) words="--json --help --org" ;;
	"group remove"*) words="--json --help --org" ;;
	"group member-add"*) words="--json --help --org" ;;
	"group member-remove"*) words="--json --help --org" ;;
	"user add"*) words="--json --help --password-stdin --org --full-name --email --level --quota" ;;
	"user list"*) words="--json --help --org" ;;
	"user show"*) words="--json --help --org" ;;
	"user set"*) words="--json --help --org --full-name --email --level --quota --auth-methods" ;;
	"user key add"*) words="--json --help --file --comment --org" ;;
	"user key list"*) words="--json --help --org" ;;
	"user key remove"*) words="--json --help --org" ;;
	"user otp add"*) words="--json --help --org" ;;
	"user otp remove"*) words="--json --help --org" ;;
	"user passwd"*) words="--json --help --password-stdin --org" ;;
	"user suspend"*) words="--json --help --org" ;;
	"user activate"*) words="--json --help --org" ;;
	"user remove"*) words="--json --help --org" ;;
	"folder add"*) words="--json --help --org --no-inherit --quota" ;;
	"folder list"*) words="--json --help --org" ;;
	"folder remove"*) words="--json --help --org" ;;
	"acl set"*) words="--json --help --rights --user --group --override --org" ;;
	"acl show"*) words="--json --help --org" ;;
	"acl remove"*) words="--json --help --user --group --org" ;;
	"ca add"*) words="--json --help --file --org" ;;
	"ca list"*) words="--json --help --org" ;;
	"ca remove"*) words="--json --help --org" ;;
	"token add"*) words="--json --help --org --name --expires --scope" ;;
	"token list"*) words="--json --help --org" ;;
	"token remove"*) words="--json --help" ;;
	"session list"*) words="--json --help --user --org" ;;
	"session revoke"*) words="--json --help --user --org" ;;
	"address list"*) words="--json --help" ;;
	"address show"*) words="--json --help" ;;
	"address ban"*) words="--json --help --for" ;;
	"address unban"*) words="--json --help" ;;
	"upload list"*) words="--json --help --user --org" ;;
	"upload remove"*) words="--json --help" ;;
	"audit verify"*) words="--json --help --checkpoint --witness --key" ;;
	"audit list"*) words="--json --help --since --until --user --event --path --addr --limit --follow" ;;
	"audit prove"*) words="--json --help" ;;
	"audit check"*) words="--json --help --key" ;;
	"audit checkpoint"*) words="--json --help" ;;
	"hunt"*) words="--json --help --since --until --ioc --user --file --address --proofs --html --limit --verify --key" ;;
	"alarm test"*) words="--json --help" ;;
	"alarm list"*) words="--json --help" ;;
	"alarm kinds"*) words="--json --help" ;;
	"key status"*) words="--json --help" ;;
	"key rotate"*) words="--json --help --org" ;;
	"key unlock"*) words="--json --help --passphrase-stdin --restore-automatic" ;;
	"limits show"*) words="--json --help --user --org --address --network --server --deletions" ;;
	"limits raise"*) words="--json --help --for --files --bytes --user --org --address --network --server --deletions" ;;
	"limits confirm"*) words="--json --help" ;;
	"limits unfreeze"*) words="--json --help --user --address" ;;
	"hostkey show"*) words="--json --help --known-hosts --sshfp" ;;
	"hostkey make"*) words="--json --help" ;;
	"fsck"*) words="--json --help --content" ;;
	"verify"*) words="--json --help --checkpoint --witness --key --release-key --manifest --root --record" ;;
	"witness init"*) words="--json --help --name" ;;
	"witness add-log"*) words="--json --help" ;;
	"witness serve"*) words="--json --help --listen" ;;
	"witness show"*) words="--json --help" ;;
	"witness push"*) words="--json --help --to --witness" ;;
	"backup"*) words="--json --help --with-root-key" ;;
	"restore"*) words="--json --help --passphrase-stdin" ;;
	"completion"*) words="--json --help" ;;
	"version"*) words="--json --help" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	[[ ${#COMPREPLY[@]} -eq 0 && $cur != -* ]] && mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
complete -o filenames -F _sallyport sallyport
