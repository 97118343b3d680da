# The height of the tide `hour` hours after low water.
function height(low, high, hour,    twelfths, risen, i) {
    split("1 2 3 3 2 1", twelfths)
    for (i = 1; i <= hour; i++) risen += twelfths[i]
    return low + (high - low) * risen / 12
}
