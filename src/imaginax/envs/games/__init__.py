"""Board games of two players, as environments (https://github.com/sotetsuk/pgx has the rules).

`environment` makes one of them and `names` lists them. What is special about the rules of each game is
written in `pgx_games`.
"""
