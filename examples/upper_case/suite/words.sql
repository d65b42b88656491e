CREATE TABLE words (
    id int PRIMARY KEY,
    word text,
    note varchar(20)
);
INSERT INTO words (id, word, note) VALUES
    (1, 'quiet', 'stays as it is'),
    (2, 'Straße', NULL),
    (3, NULL, 'no word'),
    (4, '', '');
