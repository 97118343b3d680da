# How lengths are shown. They are kept in centimetres.

# As people read them, such as "2.60 m".
function show(cm) {
    return sprintf("%.2f m", cm / 100)
}
