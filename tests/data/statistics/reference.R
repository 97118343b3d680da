# CR2 variances and Satterthwaite degrees of freedom of the mean, as clubSandwich has them.
suppressMessages(library(clubSandwich))
cases <- read.csv("cases.csv")
cases$first <- cases$first_passed / cases$first_of
cases$difference <- cases$first - cases$second_passed / cases$second_of
for (case in unique(cases$case)) {
  pairs <- cases[cases$case == case, ]
  for (value in c("first", "difference")) {
    fit <- lm(pairs[[value]] ~ 1)
    cr2 <- vcovCR(fit, cluster = pairs$task, type = "CR2")
    test <- coef_test(fit, vcov = cr2, test = "Satterthwaite")
    cat(sprintf("%s,%s_variance,%.15g\n", case, value, cr2[1, 1]))
    cat(sprintf("%s,%s_freedom,%.15g\n", case, value, test$df))
  }
}
