package doctor

// Again lets the black-box tests at the doctor's retryer.
var Again = again
