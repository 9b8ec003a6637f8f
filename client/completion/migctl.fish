# Completes the command line of migctl in fish:
# migctl completion fish > ~/.config/fish/completions/migctl.fish

function __migctl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r '^~' $HOME -- $words[1])
    set -e words[1]
    set -l answer ($program __complete -- $words "$current" 2>/dev/null)
    # What stands before the name of a file: --output=
    set -l kept (string match -r -- '^--[^=]*=' "$current")
    set -l rest (string replace -r -- '^--[^=]*=' '' "$current")
    switch "$answer[1]"
        case files
            printf '%s\n' "$kept"(__fish_complete_path "$rest")
        case directories
            printf '%s\n' "$kept"(__fish_complete_directories "$rest" '')
    end
    set -e answer[1]
    printf '%s\n' $answer
end

complete -c migctl -f -k -a '(__migctl_complete)'
