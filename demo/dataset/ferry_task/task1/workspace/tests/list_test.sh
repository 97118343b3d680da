times() { ferry list | cut -c 1-5; }

check "list keeps the order of the day" $'06:30\n07:15\n08:00\n09:10\n12:45\n17:20' times
