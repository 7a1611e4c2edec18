#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bob can neither use alice's session nor see what is in it, by no method and no property, before the update and after it; to
# root it is open. Bus calls are made by a client library and by plain busctl.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

path=/org/luod1/session/alices

properties=(Name Direction Owner Files Metadata CreatedTimestamp CreatedGeneration AutoRenew Carried Flags)

assert_not_for_bob() {
        local call property

        refused_as bob NotOwner get alices
        for call in "preserve alices 9=content=x" "preserve --many alices 9=content=x 10=content=y" "retrieve alices 1" \
                "retrieve --many alices 1 2" "metadata alices a=b" "finish alices" "discard alices"; do
                # shellcheck disable=SC2086
                refused_as bob NotOwner $call
        done
        # Not even whether a token is there.
        refused_as bob NotOwner retrieve alices 99
        for property in "${properties[@]}"; do
                assert_fails as bob busctl get-property org.luod1 $path org.luod1.Session "$property"
                grep -qi "belongs to\|another user\|not yours\|owner" <<<"$output" || fail "$property is refused without a reason: $output"
        done
        assert_fails as bob busctl call org.luod1 $path org.freedesktop.DBus.Properties GetAll s org.luod1.Session
        assert_fails as bob busctl call org.luod1 $path org.luod1.Session Discard
        assert_fails as bob busctl call org.luod1 $path org.luod1.Session Retrieve t 1

        # Nor in any list.
        assert_hidden "ListSessions" client_as bob list
        assert_hidden "GetManagedObjects" as bob busctl call org.luod1 /org/luod1 org.freedesktop.DBus.ObjectManager GetManagedObjects
        assert_hidden "the object tree" as bob busctl tree org.luod1
        assert_hidden "luoctl list" as bob luoctl list
        assert_says $path as alice busctl tree org.luod1
        # Everybody may see how luod does.
        as bob luoctl status >/dev/null
        # A name that somebody else has is taken.
        refused_as bob SessionExists create alices
}

assert_hidden() { # WHAT COMMAND...
        local what=$1
        shift

        output=$("$@")
        ! grep -q alices <<<"$output" || fail "$what shows alice's session to bob: $output"
}

luoctl_refuses() {
        local verb status

        for verb in "show alices" "preserve alices 9 /etc/hostname" "retrieve alices 1" "set-metadata alices a=b" "renew alices" "carry alices" "finish alices" "discard alices"; do
                status=0
                # shellcheck disable=SC2086
                as bob luoctl $verb >/dev/null 2>&1 || status=$?
                assert_eq "exit status of luoctl $verb" $status 4
        done
}


case $VM_BOOT in
        0)
                client_as alice create alices secret=42
                client_as alice preserve alices 1:private-label=content=private 2=random=2,size=5000
                describe alices >"$VM_STATE/before"
                assert_not_for_bob
                luoctl_refuses
                describe alices | diff "$VM_STATE/before" - || fail "bob changed the session (see above)"

                # What is bob's own is his, whoever else is refused.
                client_as bob create bobs
                client_as bob preserve bobs 1=content=bobs
                refused_as alice NotOwner discard bobs
                # root may do all.
                client preserve alices 3=content=by-root
                client metadata alices by=root
                client discard bobs
                next_boot
                ;;
        1)
                assert_not_for_bob
                luoctl_refuses
                assert_eq "the owner" "$(client show alices)" "direction=incoming owner=1000 flags="
                assert_eq "the metadata" "$(client_as alice metadata alices | sort | tr '\n' ' ')" "by=root secret=42 "
                assert_eq "file 1 for alice" "$(field head "$(client_as alice retrieve alices 1)")" private
                assert_eq "file 1 for root" "$(field head "$(client retrieve alices 1)")" private
                assert_eq "file 3 for alice" "$(field head "$(client_as alice retrieve alices 3)")" by-root
                client_as alice finish alices
                ;;
esac
