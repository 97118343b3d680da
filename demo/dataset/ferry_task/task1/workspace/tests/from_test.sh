check "from shows one port" $'07:15 -> Skerry\n12:45 -> Skerry' ferry from Puffin
check "from an unknown port shows nothing" "" ferry from Atlantis
