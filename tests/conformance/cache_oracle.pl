# The original cache as it is: replays calls on Cache::FastMmap.
#
# Reads one line of JSON, {"file", "options", "calls": [[name, argument...], ...]}, and answers with one:
# a list with the result of each call, or [result, what was written back meanwhile].

use strict;
use warnings;

use Cache::FastMmap ();
use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my ($cache, @written);

# A result that looks the same whatever Perl made of it last: as number or as text.
sub text { return defined $_[0] ? "$_[0]" : undef }
sub truth { return $_[0] ? JSON::PP::true : JSON::PP::false }

sub details {
  my ($entry) = @_;
  return [(map { text($entry->{$_}) } qw(key value)), map { $entry->{$_} + 0 } qw(last_access expire_on)];
}

my %calls = (
  time => sub { Cache::FastMmap::_set_time_override($_[0]); return undef },
  get => sub { return text(scalar $cache->get($_[0])) },
  set => sub { my ($key, $value, @rest) = @_; return truth($cache->set($key, $value, @rest)) },
  remove => sub { return truth($cache->remove($_[0])) },
  expire => sub { return truth($cache->expire($_[0])) },
  # Appends to the value, or with an undefined suffix stores nothing.
  getAndSet => sub {
    my ($key, $suffix, $options) = @_;
    my ($value, $stored) = $cache->get_and_set($key, sub {
      my (undef, $old) = @_;
      return unless defined $suffix;
      return (substr((defined $old ? $old : '') . $suffix, -300), $options ? $options : ());
    });
    return [text($value), truth($stored)];
  },
  getAndRemove => sub {
    my ($value, $removed) = $cache->get_and_remove($_[0]);
    return [text($value), truth($removed)];
  },
  multiSet => sub { $cache->multi_set(@_); return truth(1) },
  multiGet => sub {
    my $found = $cache->multi_get(@_);
    return {map { $_ => text($found->{$_}) } keys %$found};
  },
  # In the order of pages and slots: that is an observation, too.
  getKeys => sub { return [map { details($_) } $cache->get_keys(2)] },
  clear => sub { $cache->clear; return undef },
  purge => sub { $cache->purge; return undef },
  empty => sub { $cache->empty($_[0]); return undef },
  statistics => sub { return [map { $_ + 0 } $cache->get_statistics($_[0])] },
);

my $task = $json->decode(scalar <STDIN>);
my %options = %{$task->{options}};
$options{write_cb} = sub { push @written, [text($_[1]), text($_[2])] }
  if ($options{write_action} || '') eq 'write_back';
$cache = Cache::FastMmap->new(share_file => $task->{file}, serializer => '', %options);
my @results;
for my $call (@{$task->{calls}}) {
  my ($name, @arguments) = @$call;
  @written = ();
  my $result = $calls{$name}->(@arguments);
  push @results, [$result, [@written]];
}
print $json->encode(\@results), "\n";
