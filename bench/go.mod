module github.com/labnet/labnet/bench

go 1.26.0
