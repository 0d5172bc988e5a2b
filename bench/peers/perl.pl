# The Perl peers, asked by lines: each answers "OP ARGUMENTS" with one number, or "missing".
#
#   load MODULE                           1, or "missing"
#   new MODULE                            a fresh instance
#   fill SERIES                           that many counters with three labels
#   inc LABELS MS | observe MS | first MS nanoseconds an operation, repeated for MS milliseconds
#   format                                milliseconds
#   cache SIZE set|get MS                 nanoseconds an operation
use strict;
use warnings;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
$| = 1;

my ($prom, $cache);
my $fresh = 0;

# Nanoseconds that one of the operation's repetitions takes.
sub timed {
  my ($ms, $batch, $code) = @_;
  my ($start, $count) = (clock_gettime(CLOCK_MONOTONIC), 0);
  my $end = $start + $ms / 1000;
  my $now;
  do { $code->($batch); $count += $batch; $now = clock_gettime(CLOCK_MONOTONIC) } while $now < $end;
  return ($now - $start) / $count * 1e9;
}

my @two = (method => "GET", status => "200");
my %labels = (
  0 => {},
  2 => {@two},
  6 => {@two, host => "a", zone => "b", route => "/users", version => "1"},
);

my %operations = (
  load => sub { (my $file = "$_[0].pm") =~ s{::}{/}g; eval { require $file } ? 1 : "missing" },
  new => sub { $prom = $_[0]->new; 1 },
  fill => sub {
    $prom->declare("http_requests_total", help => "Requests.", type => "counter");
    for my $i (0 .. $_[0] - 1) {
      my $path = sprintf "/users/%d", int($i / 4);
      $prom->add("http_requests_total", 1 + $i % 1000,
        {method => $i % 2 ? "GET" : "POST", path => $path, status => $i % 4 < 2 ? 200 : 404});
    }
    1;
  },
  inc => sub {
    my $with = $labels{$_[0]};
    timed($_[1], 100, sub { $prom->inc("requests_total", $with) for 1 .. $_[0] });
  },
  observe => sub { timed($_[0], 20, sub { $prom->histogram_observe("seconds", 0.3, $labels{2}) for 1 .. $_[0] }) },
  first => sub { timed($_[0], 20, sub { $prom->inc("first_total", {id => $fresh++}) for 1 .. $_[0] }) },
  format => sub {
    my $start = clock_gettime(CLOCK_MONOTONIC);
    my $text = $prom->format;
    return (clock_gettime(CLOCK_MONOTONIC) - $start) * 1e3;
  },
  cache => sub {
    my ($size, $what, $ms) = @_;
    $cache //= Cache::FastMmap->new(cache_size => "16m", serializer => "");
    my ($n, $value) = (0, "x" x $size);
    $cache->set("key$_", $value) for 0 .. 999;
    return timed($ms, 100, sub { $cache->get("key" . ($n++ % 1000)) for 1 .. $_[0] }) if $what eq "get";
    return timed($ms, 100, sub { $cache->set("key" . ($n++ % 1000), $value) for 1 .. $_[0] });
  },
);

while (my $line = <STDIN>) {
  my ($name, @arguments) = split " ", $line;
  print $operations{$name}->(@arguments), "\n";
}
