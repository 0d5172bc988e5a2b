# The peers as they are: replays calls on Prometheus::Tiny or Prometheus::Tiny::Shared.
#
# Reads lines of JSON. {"new": class, "default_labels": {...}} begins with an empty object;
# {"calls": [[method, argument...], ...]} makes the calls. Each line is answered by one:
# {"text": what format returns, "warnings": [[call, text], ...], "deaths": [[call, text], ...]}.

use strict;
use warnings;

use Carp ();
use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical;
my $prom;
my %declared;
my $calls = 0;

# What version 0.011 changed: a label without a value is dropped with a warning, and so is the
# default label of its name.
sub learn_undefined_labels {
  require Prometheus::Tiny;
  return if Prometheus::Tiny->VERSION >= 0.011;
  my $original = \&Prometheus::Tiny::_format_labels;
  no warnings 'redefine';
  *Prometheus::Tiny::_format_labels = sub {
    my ($self, $labels) = @_;
    my %all = (%{$self->{default_labels}}, %{$labels || {}});
    for my $label (sort grep { !defined $all{$_} } keys %all) {
      Carp::carp("label '$label' has an undefined value, dropping it");
      delete $all{$label};
    }
    local $self->{default_labels} = {};
    return $original->($self, \%all);
  };
}

sub without_place {
  my ($message) = @_;
  $message =~ s/ at \S+ line \d+.*//s;
  return $message;
}

sub make_call {
  my ($method, @arguments) = @_;
  my ($name, $declaration) = @arguments;
  if ($method eq 'declare') {
    $prom->declare($name, %$declaration);
    $declared{$name} = 1;
  } else {
    $prom->$method(@arguments);
  }
  return 1;
}

# Prometheus::Tiny declares by looking: whoever observes, sets or prints what was not declared
# gives it an empty declaration (autovivification), and no later one matches it.
# Prometheus::Tiny::Shared does not.
sub undeclare {
  delete @{$prom->{meta}}{grep { !$declared{$_} } keys %{$prom->{meta}}};
}

sub replay {
  my ($list) = @_;
  my (@warnings, @deaths, %seen);
  # Perl's own warnings are of no interest, nor that one call may give the same one many times.
  local $SIG{__WARN__} = sub {
    my $text = without_place($_[0]);
    return unless $text =~ /non-numeric value, |undefined value, /;
    push @warnings, [$calls, $text] unless $seen{$calls, $text}++;
  };
  for my $call (@$list) {
    eval { make_call(@$call) } or push @deaths, [$calls, without_place($@)];
    undeclare();
    $calls++;
  }
  my $text = $prom->format;
  undeclare();
  return { text => $text, warnings => \@warnings, deaths => \@deaths };
}

sub begin {
  my ($class, $default_labels) = @_;
  (my $file = "$class.pm") =~ s{::}{/}g;
  require $file;
  $prom = $class->new(default_labels => $default_labels);
  %declared = ();
  $calls = 0;
  return replay([]);
}

learn_undefined_labels();
$| = 1;
while (my $line = <STDIN>) {
  my $task = $json->decode($line);
  my $answer = $task->{new}
    ? begin($task->{new}, $task->{default_labels})
    : replay($task->{calls});
  print $json->encode($answer), "\n";
}
