"""Words for things of many kinds, of which a library has few: what is asked for to learn which scores mean nothing."""

_LIST = """
airplane, apple, armchair, axe, backpack, bag, banana, barrel, basket, bathtub, bear, bed, bedside table, bee, bell,
bench, bicycle, bin, bird, boat, book, bookshelf, boot, bottle, bowl, brain, bread, bridge, broom, bucket, bulb,
bus, butterfly, button, cabinet, cactus, cake, calculator, camel, camera, candle, cannon, cap, car, carrot, castle,
cat, chair, chessboard, chest, church, clock, coat, comb, cone, couch, cow, crab, crane, crocodile, cup, curtain,
cutlery, desk, dinosaur, dog, dolphin, door, dragon, dresser, drill, drum, duck, elephant, envelope, eyeglasses,
fence, fireplace, fish, flag, flower, fork, fox, fridge, frog, game console, giraffe, glass, glove, goat, guitar,
gun, hair, hammer, hand, harp, hat, headphones, helicopter, helmet, horse, house, igloo, jellyfish, kangaroo,
kettle, key, keyboard, kite, knife, ladder, lamp, laptop, leaf, lighthouse, lion, lock, lizard, map, microphone,
microscope, monitor, monkey, motorbike, mountain, mouse, mug, mushroom, necklace, night stand, octopus, oven, owl,
paintbrush, pan, panda, parachute, parrot, pencil, penguin, person, piano, picture, pig, pillow, pineapple, pizza,
plant, playground, plate, printer, pumpkin, pyramid, rabbit, radiator, radio, range hood, ring, robot, rocket, rope,
rug, ruler, sandwich, saw, saxophone, scissors, scorpion, screen, seahorse, shark, sheep, shelf, shell, shield,
ship, shoes, shovel, shower, sink, skateboard, skeleton, skull, sled, snail, snake, snowman, sock, sofa, spider,
spoon, squirrel, stairs, starfish, statue, stool, stove, submarine, suitcase, swan, sword, table, tank, teapot,
telephone, telescope, television, tent, tie, tiger, tire, toaster, toilet, tooth, toothbrush, tortoise, towel,
tower, tractor, traffic light, train, trash can, tree, trophy, trousers, truck, trumpet, umbrella, vase, violin,
volcano, wardrobe, washing machine, watch, whale, wheel, wheelbarrow, windmill, window, wolf, wrench, xbox, zebra
"""
WORDS = tuple(" ".join(words.split()) for words in _LIST.split(","))
