<?php
// Publishes with Symfony's Mercure component, unchanged, as Debian packs it.
//   php publish_symfony.php HUB_URL TOKEN < UPDATES
// One JSON object a line on stdin: {"topics": [...], "data": ..., "private": ..., "id": ..., "type": ..., "retry": ...};
// all but the topics may be missing. Prints the id of each on a line of its own; exits with 1 at the first refusal.
require 'Symfony/Component/Mercure/autoload.php';

use Symfony\Component\HttpClient\HttpClient;
use Symfony\Component\Mercure\Hub;
use Symfony\Component\Mercure\Jwt\StaticTokenProvider;
use Symfony\Component\Mercure\Update;

[, $url, $token] = $argv;
$hub = new Hub($url, new StaticTokenProvider($token), null, null, HttpClient::create(['proxy' => null, 'no_proxy' => '*']));
while (($line = fgets(STDIN)) !== false) {
    $update = json_decode($line, true, 8, JSON_THROW_ON_ERROR);
    try {
        echo $hub->publish(new Update(
            $update['topics'],
            $update['data'] ?? '',
            $update['private'] ?? false,
            $update['id'] ?? null,
            $update['type'] ?? null,
            $update['retry'] ?? null,
        )), "\n";
    } catch (\RuntimeException $refusal) {
        fwrite(STDERR, 'error: '.($refusal->getPrevious() ?? $refusal)->getMessage()."\n");
        exit(1);
    }
}
