from formats.glibc_rand import draw, glibc_rand


def test_known_numbers() -> None:
    # The best known numbers of all: what C programs print that forget to call srand.
    numbers = glibc_rand(1)
    assert [next(numbers) for _ in range(5)] == [1804289383, 846930886, 1681692777, 1714636915, 1957747793]


def test_draw_is_the_prefix_of_a_longer_draw() -> None:
    assert draw(100) == draw(1200)[:100]
