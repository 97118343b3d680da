check "low water" "0.80 m" tide height 80 440 0
check "half tide" "2.60 m" tide height 80 440 3
check "high water" "4.40 m" tide height 80 440 6
